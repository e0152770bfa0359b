//! Links are what was signed, all of it and nothing else, and for no longer.

use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

struct Zeroes;

impl model::Entropy for Zeroes {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn signer(keys: &[u8]) -> Signer {
    let keys = keys.iter().map(|byte| (format!("key-{byte}"), [*byte; 32])).collect();
    Signer::new(&KeyRing::new(keys, Arc::new(Zeroes)).expect("a ring"))
}

fn link() -> Link {
    let path = ObjectPath::new("a/b.csv").expect("a path");
    let [upload, repository, session] = [1, 2, 3].map(Uuid::from_u128);
    let (upload, session) = (UploadId(upload), SessionId(session));
    Link::Upload(Target::new(upload, RepositoryId(repository), session, &path))
}

const NOW: Timestamp = Timestamp(1_000_000);

fn signed(signer: &Signer) -> String {
    signer.sign(link(), Timestamp(NOW.0 + 1)).expect("a token")
}

fn refusal(signer: &Signer, token: &str, now: Timestamp) -> &'static str {
    let error = signer.open(token, now).expect_err("refused");
    assert_eq!(error.kind, Kind::Forbidden);
    error.code
}

#[test]
fn a_token_stands_for_its_link_until_it_expires() {
    let signer = signer(&[1]);
    let token = signed(&signer);
    assert_eq!(signer.open(&token, NOW).expect("a link"), link());
    assert_eq!(refusal(&signer, &token, Timestamp(NOW.0 + 1)), "LINK_EXPIRED");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    assert!(token.bytes().all(is_plain), "{token} goes into a URL as it is");
}

#[test]
fn a_rotated_ring_knows_old_tokens_and_no_other_ring_does() {
    let token = signed(&signer(&[1]));
    assert!(signer(&[2, 1]).open(&token, NOW).is_ok());
    assert_eq!(refusal(&signer(&[2]), &token, NOW), "LINK_INVALID");
    assert_ne!(signed(&signer(&[2, 1])), token, "the first key signs");
}

#[test]
fn every_changed_character_is_noticed() {
    let signer = signer(&[1]);
    let token = signed(&signer);
    for at in 0..token.len() {
        for other in [b'A', b'B', b'_', b'.', b'='] {
            let mut bytes = token.clone().into_bytes();
            if std::mem::replace(&mut bytes[at], other) != other {
                let changed = String::from_utf8(bytes).expect("ASCII");
                assert_eq!(refusal(&signer, &changed, NOW), "LINK_INVALID", "{changed}");
            }
        }
    }
    for cut in 0..token.len() {
        assert_eq!(refusal(&signer, &token[..cut], NOW), "LINK_INVALID");
    }
    assert_eq!(refusal(&signer, &format!("{token}.{token}"), NOW), "LINK_INVALID");
}

#[test]
fn the_longest_path_fits_into_a_token() {
    let signer = signer(&[1]);
    let download = Download {
        user: UserId(Uuid::from_u128(1)),
        organization: "o".repeat(63),
        repository: "r".repeat(63),
        id: RepositoryId(Uuid::from_u128(2)),
        path: "\u{1}".repeat(model::limits::PATH_BYTES_MAX),
        commit: Some("0".repeat(64)),
        session: Some(SessionId(Uuid::from_u128(3))),
    };
    let link = Link::Download(download);
    let token = signer.sign(link.clone(), Timestamp(NOW.0 + 1)).expect("a token");
    assert_eq!(signer.open(&token, NOW).expect("a link"), link);
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in ".*|[A-Za-z0-9_-]+[.][A-Za-z0-9_-]{43}") {
        prop_assert_eq!(refusal(&signer(&[1]), &text, NOW), "LINK_INVALID");
    }
}
