//! API tokens: `tuk-`, 43 random characters (256 bits in base 62) and a checksum of 6. Tokens of
//! logins and devices, which no person keeps, are the random characters alone.
//!
//! The prefix and the checksum let a scanner tell a leaked token from chance; the server itself
//! knows a token only by its SHA-256.

use model::{Entropy, Secret};
use sha2::{Digest, Sha256};

const PREFIX: &str = "tuk-";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is a little more than 2^256.
const RANDOM_DIGITS: usize = 43;
/// 62^6 is more than 2^32.
const CHECKSUM_DIGITS: usize = 6;
/// Fewest characters after the prefix of a token that an operator chose.
const CHOSEN_MIN: usize = 16;
/// Characters of a token that are shown again.
const HINT_LENGTH: usize = 4;
/// No token is longer, so nothing longer is hashed.
const TOKEN_BYTES_MAX: usize = 255;

/// A new token.
pub(crate) fn generate(entropy: &dyn Entropy) -> Secret {
    let mut token = format!("{PREFIX}{}", random(entropy).expose());
    let mut checksum = crc_fast::crc32_iso_hdlc(token.as_bytes()).to_be_bytes();
    token.push_str(&base62(&mut checksum, CHECKSUM_DIGITS));
    Secret::new(token)
}

/// 256 random bits.
pub(crate) fn random(entropy: &dyn Entropy) -> Secret {
    let mut random = [0; 32];
    entropy.fill(&mut random);
    Secret::new(base62(&mut random, RANDOM_DIGITS))
}

/// Whether it is worth looking up as what [`random`] made.
pub(crate) fn may_be_random(token: &str) -> bool {
    token.len() == RANDOM_DIGITS && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The big-endian `number` in `digits` digits; divides `number` down to 0.
fn base62(number: &mut [u8], digits: usize) -> String {
    let mut text = vec![DIGITS[0]; digits];
    for digit in text.iter_mut().rev() {
        let mut remainder = 0;
        for byte in number.iter_mut() {
            let value = remainder * 256 + u32::from(*byte);
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        *digit = DIGITS[remainder as usize];
    }
    text.into_iter().map(char::from).collect()
}

/// Whether an operator may choose this as a token: the prefix, then 16 or more letters, digits, `-`
/// or `_`.
pub(crate) fn is_acceptable(token: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    may_be_one(token) && token.len() >= PREFIX.len() + CHOSEN_MIN && token.bytes().all(plain)
}

/// Whether it is worth looking up.
pub(crate) fn may_be_one(token: &str) -> bool {
    token.starts_with(PREFIX) && token.len() <= TOKEN_BYTES_MAX
}

/// What the catalog knows a token by.
pub(crate) fn hash(token: &Secret) -> [u8; 32] {
    Sha256::digest(token.expose().as_bytes()).into()
}

/// Its last characters, to recognize it by.
pub(crate) fn hint(token: &Secret) -> String {
    let text = token.expose();
    text.get(text.len().saturating_sub(HINT_LENGTH)..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use testkit::SeededEntropy;

    use super::*;

    #[test]
    fn a_token_has_its_form_and_its_checksum() {
        let token = generate(&SeededEntropy::new(1));
        let text = token.expose();
        assert_eq!(text.len(), PREFIX.len() + RANDOM_DIGITS + CHECKSUM_DIGITS);
        assert!(is_acceptable(text));
        let (body, checksum) = text.split_at(text.len() - CHECKSUM_DIGITS);
        let mut expected = crc_fast::crc32_iso_hdlc(body.as_bytes()).to_be_bytes();
        assert_eq!(checksum, base62(&mut expected, CHECKSUM_DIGITS));
        assert_eq!(hint(&token), text[text.len() - 4..]);
        assert_ne!(generate(&SeededEntropy::new(2)).expose(), text);
        assert!(!may_be_random(text) && may_be_random(random(&SeededEntropy::new(1)).expose()));
    }

    #[test]
    fn base_62_counts() {
        assert_eq!(base62(&mut [0, 61], 3), "00z");
        assert_eq!(base62(&mut [0, 62], 3), "010");
        assert_eq!(base62(&mut [255; 32], RANDOM_DIGITS).len(), RANDOM_DIGITS);
        let mut most = [255; 32];
        base62(&mut most, RANDOM_DIGITS);
        assert_eq!(most, [0; 32], "43 digits hold all 256 bits");
    }

    #[test]
    fn a_chosen_token_needs_the_prefix_and_some_length() {
        assert!(is_acceptable("tuk-0123456789abcdef"));
        for bad in ["", "tuk-", "tuk-short", "trk-0123456789abcdef", "tuk-0123456789abcde "] {
            assert!(!is_acceptable(bad), "{bad}");
        }
    }
}
