//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802), the client's side.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

/// Fewest iterations that Kafka allows.
const ITERATIONS_MIN: u32 = 4_096;
/// More would keep this side busy for long; a broker that asks for it means no good.
const ITERATIONS_MAX: u32 = 1_000_000;

/// The hash that a SCRAM mechanism is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::kafka::wire) enum ScramHash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A login with SCRAM.
pub(super) struct Scram<'a> {
    hash: ScramHash,
    password: &'a str,
    first_bare: String,
    nonce: String,
    server_signature: Vec<u8>,
}

impl<'a> Scram<'a> {
    /// Begins a login with a nonce that was never used before.
    pub(super) fn new(hash: ScramHash, user: &str, password: &'a str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            hash,
            password,
            first_bare: format!("n={user},r={nonce}"),
            nonce: nonce.to_owned(),
            server_signature: Vec::new(),
        }
    }

    /// Returns the first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Returns the last message, in answer to the server's first.
    pub(super) fn last(&mut self, server_first: &str) -> Result<String, String> {
        let nonce = attribute(server_first, 'r').ok_or("the server sent no nonce")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the server's nonce does not continue ours".to_owned());
        }
        let salt = attribute(server_first, 's').and_then(|salt| STANDARD.decode(salt).ok());
        let salt = salt.ok_or("the server sent no salt")?;
        let iterations = attribute(server_first, 'i')
            .and_then(|iterations| iterations.parse::<u32>().ok())
            .filter(|iterations| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(iterations))
            .and_then(NonZeroU32::new)
            .ok_or("the server asks for a number of iterations that is not accepted")?;
        let salted = self.salted_password(&salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let authenticated = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = self.sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.digest(), &client_key);
        let signature = self.sign(stored_key.as_ref(), authenticated.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = self.sign(&salted, b"Server Key");
        self.server_signature = self.sign(&server_key, authenticated.as_bytes());
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Checks that the server knows the password too.
    pub(super) fn verify(&self, server_last: &str) -> Result<(), String> {
        if let Some(error) = attribute(server_last, 'e') {
            return Err(error.to_owned());
        }
        let signature = attribute(server_last, 'v').and_then(|text| STANDARD.decode(text).ok());
        if signature.as_ref() == Some(&self.server_signature) {
            Ok(())
        } else {
            Err("the server does not prove that it knows the password".to_owned())
        }
    }

    fn salted_password(&self, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let algorithm = match self.hash {
            ScramHash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            ScramHash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; self.digest().output_len()];
        let password = self.password.as_bytes();
        pbkdf2::derive(algorithm, iterations, salt, password, &mut salted);
        salted
    }

    fn digest(&self) -> &'static digest::Algorithm {
        match self.hash {
            ScramHash::Sha256 => &digest::SHA256,
            ScramHash::Sha512 => &digest::SHA512,
        }
    }

    fn sign(&self, key: &[u8], text: &[u8]) -> Vec<u8> {
        let algorithm = match self.hash {
            ScramHash::Sha256 => hmac::HMAC_SHA256,
            ScramHash::Sha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, key);
        hmac::sign(&key, text).as_ref().to_vec()
    }
}

fn attribute(message: &str, name: char) -> Option<&str> {
    let mut parts = message.split(',');
    parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        let mut scram = Scram::new(ScramHash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(
            scram.last(server_first).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let server_last = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(scram.verify(server_last), Ok(()));
        assert!(scram.verify("v=AAAA").is_err());
        assert_eq!(scram.verify("e=other-error"), Err("other-error".to_owned()));
    }

    #[test]
    fn a_server_that_plays_foul_is_refused() {
        let mut scram = Scram::new(ScramHash::Sha512, "a,b=c", "p", "abc");
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=abc");
        for foul in [
            "",
            "r=abc,s=AAAA,i=4096",
            "r=xyz1,s=AAAA,i=4096",
            "r=abcd,s=AAAA,i=1",
            "r=abcd,s=AAAA,i=4294967295",
            "r=abcd,i=4096",
        ] {
            assert!(scram.last(foul).is_err(), "{foul}");
        }
    }
}
