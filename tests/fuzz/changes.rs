//! Changes inputs by chance, the same way in every run.

/// Numbers that lie at the edge of something.
const EDGES: [&[u8]; 14] = [
    b"0",
    b"-1",
    b"1e999",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"2147483647",
    b"2147483648",
    b"4294967295",
    b"18446744073709551616",
    &[0xff; 4],
    &[0; 8],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
];

/// A source of changed inputs.
pub(crate) struct Changes<'a> {
    state: u64,
    words: &'a [&'a [u8]],
}

impl<'a> Changes<'a> {
    /// Returns a source that a text seeds.
    pub(crate) fn new(text: &str, words: &'a [&'a [u8]]) -> Self {
        let seed = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let state = text.bytes().fold(0xcbf2_9ce4_8422_2325, seed);
        Self { state, words }
    }

    /// Returns a number below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // Xorshift, with a multiplication for the high bits.
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).unwrap() % end
    }

    /// Returns one of the inputs, changed in a few places.
    pub(crate) fn make(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            let other = self.below(inputs.len());
            self.change(&mut input, &inputs[other]);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let place = self.below(input.len() + 1);
        let range = place..(place + self.below(40)).min(input.len());
        match self.below(9) {
            0 | 1 if place < input.len() => input[place] ^= 1 << self.below(8),
            2 if place < input.len() => input[place] = self.byte(),
            3 => drop(input.drain(range)),
            4 => {
                let again = input[range].to_vec();
                let times = 1 + self.below(3) * self.below(60);
                insert(input, place, &again.repeat(times));
            }
            5 if !self.words.is_empty() => {
                let word = self.words[self.below(self.words.len())];
                insert(input, place, word);
            }
            6 => {
                let edge = EDGES[self.below(EDGES.len())];
                self.put_number(input, edge);
            }
            7 => {
                input.truncate(place);
                input.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            _ => {
                let byte = self.byte();
                input.insert(place, byte);
            }
        }
    }

    fn byte(&mut self) -> u8 {
        let likely = b"\0\xff\n\r\t\"'\\{}[]:,;=|#-+.e019 a\x1b\xc3\xed\xf4";
        match self.below(3) {
            0 => u8::try_from(self.below(256)).unwrap(),
            _ => likely[self.below(likely.len())],
        }
    }

    /// Puts a number where one is, or anywhere.
    fn put_number(&mut self, input: &mut Vec<u8>, number: &[u8]) {
        let from = self.below(input.len() + 1);
        let digits = |at: usize| input[at..].iter().take_while(|byte| byte.is_ascii_digit());
        let start = (from..input.len()).find(|&at| input[at].is_ascii_digit());
        let start = start.unwrap_or(from);
        let end = start + digits(start).count();
        input.splice(start..end, number.iter().copied());
    }
}

fn insert(input: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    input.splice(place..place, bytes.iter().copied());
}
