//! Tokens: long, random, and kept only as their SHA-256.

use std::fmt::Write;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sha2::{Digest, Sha256};

use crate::clock::Entropy;

/// A new token, which nobody can guess: 192 random bits.
pub fn new_token(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 24];
    entropy.fill(&mut bytes);
    format!("kb_{}", hex(&bytes))
}

/// The SHA-256 of a token, in hex: all that is ever kept of it.
pub fn sha256_hex(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// Whether a text could be the SHA-256 of a token, in hex.
pub fn is_sha256_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a token's SHA-256 is one of these, found out in a time that does not tell how much of it is right.
pub fn is_among(sha256: &str, known: &[String]) -> bool {
    let is_same = |known: &String| verify_slices_are_equal(sha256.as_bytes(), known.as_bytes()).is_ok();
    known.iter().fold(false, |found, known| found | is_same(known))
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn a_token_is_kept_as_the_known_hash() {
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_token_is_known_wherever_it_stands() {
        let known = ["one", "two"].map(sha256_hex);
        for (token, is_known) in [("one", true), ("two", true), ("three", false), ("", false)] {
            assert_eq!(is_among(&sha256_hex(token), &known), is_known, "{token}");
        }
        assert!(!is_among(&known[0], &[]) && !is_among(&known[0][1..], &known));
    }

    #[test]
    fn no_two_tokens_are_alike() {
        let token = new_token(&SystemEntropy);
        assert_eq!(token.len(), "kb_".len() + 48);
        assert_ne!(token, new_token(&SystemEntropy));
    }
}
