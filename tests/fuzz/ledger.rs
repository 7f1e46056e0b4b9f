//! The account of offsets adds up after whatever a cluster may answer.

use dupaudit::finding::{GapReason, OffsetGap};
use dupaudit::record::RecordSlot;
use dupaudit::source::kafka::Ledger;

use crate::Target;

/// Takes numbers off the input.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Returns an offset: mostly near others, now and then at the end of all.
    fn offset(&mut self) -> Option<i64> {
        Some(match self.byte()? {
            0xff => i64::MAX,
            0xfe => i64::MAX - i64::from(self.byte()?),
            low => i64::from(low),
        })
    }
}

fn reason(byte: u8) -> GapReason {
    match byte % 4 {
        0 => GapReason::Control,
        1 => GapReason::Aborted,
        2 => GapReason::Corrupt,
        _ => GapReason::ControlOrCompacted,
    }
}

/// Does one thing to the account; nothing at the end of the input.
fn step(ledger: &mut Ledger, numbers: &mut Numbers<'_>) -> Option<()> {
    let what = numbers.byte()?;
    if what % 5 == 0 {
        ledger.skip_to(numbers.offset()?, reason(what / 5));
        return Some(());
    }
    let mut slots = Vec::new();
    for _ in 0..what % 7 {
        let mut slot = RecordSlot::new(0);
        slot.offset = numbers.offset()?;
        slots.push(slot);
    }
    slots.sort_by_key(|slot| slot.offset);
    let mut edges = Vec::new();
    for _ in 0..what % 3 * 2 {
        edges.push(numbers.offset()?);
    }
    edges.sort_unstable();
    let absent: Vec<OffsetGap> = edges
        .chunks_exact(2)
        .map(|edge| OffsetGap {
            start: edge[0],
            end: edge[1],
            reason: reason(what),
        })
        .collect();
    let next = if what > 127 {
        Some(numbers.offset()?)
    } else {
        None
    };
    let delivered = ledger.delivered();
    ledger.admit(&mut slots, &absent, next);
    let count = u64::try_from(slots.len()).unwrap();
    assert_eq!(ledger.delivered(), delivered + count);
    Some(())
}

#[test]
fn the_account_of_offsets_adds_up() {
    Target::new("fixtures/corpus/ledger", &[]).run(|_, input| {
        let mut numbers = Numbers(input);
        let bounds = [numbers.offset(), numbers.offset()].map(Option::unwrap_or_default);
        let mut ledger = Ledger::new(bounds[0], bounds[1]);
        while step(&mut ledger, &mut numbers).is_some() {
            ledger.check().unwrap();
        }
        ledger.skip_to(i64::MAX, GapReason::Interrupted);
        ledger.check().unwrap();
        assert!(ledger.is_settled());
        let mut last = ledger.start();
        for gap in ledger.gaps() {
            assert!(
                last <= gap.start && gap.start < gap.end,
                "{:?}",
                ledger.gaps()
            );
            last = gap.end;
        }
        assert!(last <= ledger.end());
    });
}
