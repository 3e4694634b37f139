//! What the status page gives out and takes back is signed: logins, forms, customers' links.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a signature is for. One for one purpose is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Login,
    Form,
    Link,
}

/// Signs by HMAC-SHA256.
pub(super) struct Signer {
    /// The key and zeros, as HMAC pads it (RFC 2104).
    block: [u8; 64],
}

impl Signer {
    pub(super) fn new(key: [u8; 32]) -> Self {
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(place, byte)| *place = byte);
        Self { block }
    }

    /// In hexadecimal digits.
    pub(super) fn sign(&self, purpose: Purpose, parts: &[&str]) -> String {
        let mut text = String::new();
        for byte in self.mac(purpose, parts).finalize().into_bytes() {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Compares in constant time.
    pub(super) fn has_signed(&self, purpose: Purpose, parts: &[&str], signature: &str) -> bool {
        let digit = |at: usize| signature.get(at..at + 2).filter(|two| two.is_ascii());
        let byte = |at| u8::from_str_radix(digit(at)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..signature.len()).step_by(2).map(byte).collect();
        bytes.is_some_and(|bytes| self.mac(purpose, parts).verify_slice(&bytes).is_ok())
    }

    fn mac(&self, purpose: Purpose, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.block.into());
        mac.update(&[purpose as u8]);
        for part in parts {
            // So that no two lists of parts are the same text.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signature_is_for_its_purpose_its_parts_and_its_key() {
        let (ours, other) = (Signer::new([7; 32]), Signer::new([8; 32]));
        let signature = ours.sign(Purpose::Link, &["a.example", "12"]);
        assert!(ours.has_signed(Purpose::Link, &["a.example", "12"], &signature));
        assert!(!ours.has_signed(Purpose::Login, &["a.example", "12"], &signature));
        assert!(!ours.has_signed(Purpose::Link, &["a.example1", "2"], &signature));
        assert!(!ours.has_signed(Purpose::Link, &["a.example", "13"], &signature));
        assert!(!other.has_signed(Purpose::Link, &["a.example", "12"], &signature));
        assert!(!ours.has_signed(Purpose::Link, &["a.example", "12"], &signature[..62]));
        assert!(!ours.has_signed(Purpose::Link, &["a.example", "12"], ""));
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_signature(text in any::<String>()) {
            prop_assert!(!Signer::new([7; 32]).has_signed(Purpose::Form, &[], &text));
        }
    }
}
