//! Sealing of connector configs: AES-256-GCM under the first key of a ring, opened by any of its
//! keys.
//!
//! A sealed text is `tc1:<key id>:<base64url(nonce, ciphertext, tag)>`. It opens only for the
//! organization, the connector and the kind it was sealed for: those, the format and the key id are
//! authenticated with it. The nonce is 96 random bits, which bounds a key to 2^32 sealings; a
//! connector is sealed once. The key is chosen by its id alone, never by trial.

use std::fmt::Write as _;
use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{ConnectorId, ConnectorKind, Entropy, OrganizationId, Secret};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// Names the format of a sealed text, in front of it and in what it authenticates.
const FORMAT: &str = "tc1";
/// What is sealed; in what is authenticated, so that another use of the same key cannot pass for
/// this one.
const PURPOSE: &str = "tilde/connector-config";
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Bytes of a key id.
const KEY_ID_BYTES_MAX: usize = 64;

/// Why a ring cannot be made, or a text not be opened. No variant carries secret text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A ring of no keys.
    #[error("no encryption key is given")]
    NoKey,
    /// Two keys with the same id.
    #[error("two encryption keys have the id {id}")]
    DuplicateKey {
        /// The id.
        id: String,
    },
    /// An id that is empty, too long, or has other characters than letters, digits, `.`, `_` and
    /// `-`.
    #[error("not a valid id of an encryption key: {id:?}")]
    KeyId {
        /// The id.
        id: String,
    },
    /// The text was sealed under a key that the ring does not hold.
    #[error("the encryption key {id} is not configured")]
    UnknownKey {
        /// The id that the text names.
        id: String,
    },
    /// The text is not what was sealed in this place: altered, of another format, or moved here.
    #[error("the sealed text is damaged")]
    Damaged,
}

/// The place a text is sealed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealContext {
    /// Organization of the connector.
    pub organization: OrganizationId,
    /// The connector.
    pub connector: ConnectorId,
    /// Its kind.
    pub kind: ConnectorKind,
}

/// The keys, by id: the first seals, all open.
pub struct KeyRing {
    keys: Vec<(String, Zeroizing<[u8; 32]>)>,
    entropy: Arc<dyn Entropy>,
}

/// The id of a key whose configuration gives none: the first 8 hex digits of SHA-256("kid" and the
/// key).
pub fn key_id(key: &[u8; 32]) -> String {
    let digest = Sha256::new_with_prefix("kid").chain_update(key).finalize();
    digest.iter().take(4).fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

impl KeyRing {
    /// A ring of `keys`, each with its id. `NoKey`, `DuplicateKey` or `KeyId` if they cannot be
    /// told apart.
    pub fn new(keys: Vec<(String, [u8; 32])>, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let mut ring = Self { keys: Vec::with_capacity(keys.len()), entropy };
        for (id, mut key) in keys {
            let wiped = Zeroizing::new(key);
            key.zeroize();
            if !is_key_id(&id) {
                return Err(Error::KeyId { id });
            }
            if ring.key(&id).is_some() {
                return Err(Error::DuplicateKey { id });
            }
            ring.keys.push((id, wiped));
        }
        if ring.keys.is_empty() { Err(Error::NoKey) } else { Ok(ring) }
    }

    /// Seals `plaintext` for `context` under the first key.
    pub fn seal(&self, context: SealContext, plaintext: &Secret) -> String {
        let (id, key) = self.keys.first().expect("a ring has a key");
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let aad = authenticated(id, context);
        let payload = Payload { msg: plaintext.expose().as_bytes(), aad: &aad };
        let sealed = Aes256Gcm::new((&**key).into())
            .encrypt(&Nonce::from(nonce), payload)
            .expect("a config is shorter than the 64 GiB that the cipher takes");
        let bytes = [&nonce[..], &sealed].concat();
        format!("{FORMAT}:{id}:{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens what was sealed for `context`. `UnknownKey` or `Damaged` if it cannot be.
    pub fn open(&self, context: SealContext, sealed: &str) -> Result<Secret, Error> {
        let (format, rest) = sealed.split_once(':').ok_or(Error::Damaged)?;
        let (id, text) = rest.split_once(':').ok_or(Error::Damaged)?;
        if format != FORMAT || !is_key_id(id) {
            return Err(Error::Damaged);
        }
        let key = self.key(id).ok_or_else(|| Error::UnknownKey { id: id.to_owned() })?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Damaged)?;
        let (nonce, body) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Error::Damaged)?;
        if body.len() < TAG_BYTES {
            return Err(Error::Damaged);
        }
        let aad = authenticated(id, context);
        let plaintext = Aes256Gcm::new(key.into())
            .decrypt(&Nonce::from(*nonce), Payload { msg: body, aad: &aad })
            .map_err(|_| Error::Damaged)?;
        String::from_utf8(plaintext).map(Secret::new).map_err(|error| {
            error.into_bytes().zeroize();
            Error::Damaged
        })
    }

    /// Keys for another purpose, made of the keys of the ring and in their order: what is made with
    /// the first is recognized with any. `purpose` names the use, for all time, and tells nothing
    /// of a key.
    pub fn derive(&self, purpose: &'static str) -> Vec<Zeroizing<[u8; 32]>> {
        let derived = |(_, key): &(String, Zeroizing<[u8; 32]>)| {
            Zeroizing::new(blake3::derive_key(purpose, &**key))
        };
        self.keys.iter().map(derived).collect()
    }

    fn key(&self, id: &str) -> Option<&[u8; 32]> {
        self.keys.iter().find(|(known, _)| known == id).map(|(_, key)| &**key)
    }
}

fn is_key_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=KEY_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

/// What is authenticated beside the text, each part with its length (u32, little endian) in front.
fn authenticated(key_id: &str, context: SealContext) -> Vec<u8> {
    let parts: [&[u8]; 6] = [
        PURPOSE.as_bytes(),
        FORMAT.as_bytes(),
        key_id.as_bytes(),
        context.organization.0.as_bytes(),
        context.connector.0.as_bytes(),
        context.kind.as_str().as_bytes(),
    ];
    let mut bytes = Vec::new();
    for part in parts {
        let length = u32::try_from(part.len()).expect("names and ids are short");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    struct Random;

    impl Entropy for Random {
        fn fill(&self, bytes: &mut [u8]) {
            getrandom::fill(bytes).expect("the system has randomness");
        }
    }

    const CONFIG: &str = r#"{"access_key_id":"AKIA","secret_access_key":"hush"}"#;

    fn ring(keys: &[(&str, u8)]) -> Result<KeyRing, Error> {
        let keys = keys.iter().map(|(id, byte)| ((*id).to_owned(), [*byte; 32])).collect();
        KeyRing::new(keys, Arc::new(Random))
    }

    fn context() -> SealContext {
        SealContext {
            organization: OrganizationId(Uuid::from_u128(1)),
            connector: ConnectorId(Uuid::from_u128(2)),
            kind: ConnectorKind::S3,
        }
    }

    fn sealed(ring: &KeyRing) -> String {
        ring.seal(context(), &Secret::new(CONFIG.to_owned()))
    }

    fn opened(ring: &KeyRing, context: SealContext, text: &str) -> Result<String, Error> {
        ring.open(context, text).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn what_is_sealed_opens_again_under_any_key_of_the_ring() {
        let old = ring(&[("old", 1)]).expect("a ring");
        let rotated = ring(&[("new", 2), ("old", 1)]).expect("a ring");
        let text = sealed(&old);
        assert_eq!(opened(&rotated, context(), &text).as_deref(), Ok(CONFIG));
        assert!(text.starts_with("tc1:old:") && sealed(&rotated).starts_with("tc1:new:"));
        assert_ne!(sealed(&old), sealed(&old), "every sealing has a nonce of its own");
        let unknown = Err(Error::UnknownKey { id: "new".to_owned() });
        assert_eq!(opened(&old, context(), &sealed(&rotated)), unknown);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let ring = ring(&[("a", 1), ("c", 1)]).expect("a ring");
        let text = sealed(&ring);
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(altered) = String::from_utf8(bytes) {
                assert!(opened(&ring, context(), &altered).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_the_ciphertext_is_noticed() {
        let ring = ring(&[("a", 1)]).expect("a ring");
        let text = sealed(&ring);
        let bytes = URL_SAFE_NO_PAD.decode(&text["tc1:a:".len()..]).expect("base64");
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let altered = format!("tc1:a:{}", URL_SAFE_NO_PAD.encode(altered));
            assert_eq!(opened(&ring, context(), &altered), Err(Error::Damaged), "bit {bit}");
        }
    }

    #[test]
    fn a_text_moved_elsewhere_does_not_open() {
        let ring = ring(&[("a", 1)]).expect("a ring");
        let text = sealed(&ring);
        let other = Uuid::from_u128(3);
        for moved in [
            SealContext { organization: OrganizationId(other), ..context() },
            SealContext { connector: ConnectorId(other), ..context() },
            SealContext { kind: ConnectorKind::Gcs, ..context() },
        ] {
            assert_eq!(opened(&ring, moved, &text), Err(Error::Damaged));
        }
    }

    #[test]
    fn the_key_id_is_authenticated_and_never_guessed() {
        let same_key_twice = ring(&[("a", 1), ("b", 1)]).expect("a ring");
        let renamed = sealed(&same_key_twice).replacen("tc1:a:", "tc1:b:", 1);
        assert_eq!(opened(&same_key_twice, context(), &renamed), Err(Error::Damaged));
        let other_key = ring(&[("a", 9)]).expect("a ring");
        let text = sealed(&other_key);
        assert_eq!(opened(&same_key_twice, context(), &text), Err(Error::Damaged));
    }

    #[test]
    fn other_formats_and_short_texts_are_damaged() {
        let ring = ring(&[("a", 1)]).expect("a ring");
        let newer = sealed(&ring).replacen("tc1", "tc2", 1);
        let padded = format!("{}=", sealed(&ring));
        for text in ["", "tc1", "tc1:a", "tc1:a:", "tc1:a:AAAA", "tc1::AAAA", &newer, &padded] {
            assert_eq!(opened(&ring, context(), text), Err(Error::Damaged), "{text}");
        }
    }

    #[test]
    fn derived_keys_depend_on_key_and_purpose_and_keep_their_order() {
        let derived = |keys: &[(&str, u8)], purpose| ring(keys).expect("a ring").derive(purpose);
        let both = derived(&[("new", 2), ("old", 1)], "tilde tests of links");
        assert_eq!(both[1..], derived(&[("any", 1)], "tilde tests of links"));
        assert_ne!(both[0], both[1]);
        assert_ne!(both[0], derived(&[("new", 2)], "tilde tests of something else")[0]);
        assert_ne!(*both[0], [2; 32]);
    }

    #[test]
    fn a_ring_needs_keys_that_can_be_told_apart() {
        assert_eq!(ring(&[]).err(), Some(Error::NoKey));
        let duplicate = Some(Error::DuplicateKey { id: "a".to_owned() });
        assert_eq!(ring(&[("a", 1), ("a", 2)]).err(), duplicate);
        for id in ["", "a:b", "a b", &"x".repeat(65)] {
            assert_eq!(ring(&[(id, 1)]).err(), Some(Error::KeyId { id: id.to_owned() }));
        }
    }

    #[test]
    fn the_id_of_a_key_is_fixed() {
        // printf 'kid' | cat - <(head -c 32 /dev/zero) | sha256sum
        assert_eq!(key_id(&[0; 32]), KEY_ID_OF_ZEROES);
        assert_ne!(key_id(&[0; 32]), key_id(&[1; 32]));
    }

    const KEY_ID_OF_ZEROES: &str = "ac3872a7";

    #[test]
    fn keys_and_secrets_cannot_be_shown() {
        /// Is inherent for types that can be shown, and falls back to the trait for all others.
        struct Probe<T>(std::marker::PhantomData<T>);
        trait Hidden {
            fn can_be_shown() -> bool {
                false
            }
        }
        impl<T> Hidden for Probe<T> {}
        impl<T: std::fmt::Debug> Probe<T> {
            fn can_be_shown() -> bool {
                true
            }
        }
        assert!(Probe::<String>::can_be_shown());
        assert!(!Probe::<KeyRing>::can_be_shown());
        assert!(!Probe::<Secret>::can_be_shown());
    }

    proptest! {
        #[test]
        fn any_config_round_trips(config in ".*") {
            let ring = ring(&[("a", 1)]).expect("a ring");
            let text = ring.seal(context(), &Secret::new(config.clone()));
            prop_assert_eq!(opened(&ring, context(), &text), Ok(config));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in "(tc1:a:)?.*") {
            let ring = ring(&[("a", 1)]).expect("a ring");
            prop_assert!(opened(&ring, context(), &text).is_err());
        }
    }
}
