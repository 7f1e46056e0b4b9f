//! The broker's side of logins, for tests: PLAIN, SCRAM-SHA-256 and OAUTHBEARER.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

const SALT: &[u8] = b"any salt";
const ITERATIONS: u32 = 4_096;

/// Who may log in, and how.
#[derive(Clone, Debug)]
pub(crate) struct ScriptedLogin {
    pub(crate) mechanism: &'static str,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
}

/// One login under way.
#[derive(Debug, Default)]
pub(crate) struct LoginState {
    /// The client's first message without its prefix, and the answer to it.
    scram: Option<(String, String)>,
    pub(crate) is_logged_in: bool,
}

impl ScriptedLogin {
    /// Returns the answer to one message, or nothing where the login fails.
    pub(crate) fn answer(&self, state: &mut LoginState, message: &[u8]) -> Option<Vec<u8>> {
        let Self { user, password, .. } = self;
        let message = std::str::from_utf8(message).ok()?;
        match self.mechanism {
            "PLAIN" => {
                state.is_logged_in = message == format!("\0{user}\0{password}");
                state.is_logged_in.then(Vec::new)
            }
            "OAUTHBEARER" => {
                let right = format!("n,,\u{1}auth=Bearer {password}\u{1}\u{1}");
                state.is_logged_in = message == right;
                Some(if state.is_logged_in {
                    Vec::new()
                } else {
                    br#"{"status":"invalid_token"}"#.to_vec()
                })
            }
            _ => self.answer_scram(state, message),
        }
    }

    fn answer_scram(&self, state: &mut LoginState, message: &str) -> Option<Vec<u8>> {
        let Some((first, answer)) = state.scram.take() else {
            let first = message.strip_prefix("n,,")?;
            let (user, nonce) = first.split_once(",r=")?;
            if user != format!("n={}", self.user) {
                return None;
            }
            let salt = STANDARD.encode(SALT);
            let answer = format!("r={nonce}more,s={salt},i={ITERATIONS}");
            state.scram = Some((first.to_owned(), answer.clone()));
            return Some(answer.into_bytes());
        };
        let (bare, proof) = message.rsplit_once(",p=")?;
        let authenticated = format!("{first},{answer},{bare}");
        let mut salted = [0; 32];
        let iterations = NonZeroU32::new(ITERATIONS)?;
        let password = self.password.as_bytes();
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            SALT,
            password,
            &mut salted,
        );
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        let signature = sign(stored_key.as_ref(), authenticated.as_bytes());
        let proof = STANDARD.decode(proof).ok()?;
        let shown: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        state.is_logged_in = shown == client_key;
        let server_key = sign(&salted, b"Server Key");
        let signature = STANDARD.encode(sign(&server_key, authenticated.as_bytes()));
        state
            .is_logged_in
            .then(|| format!("v={signature}").into_bytes())
    }
}

fn sign(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}
