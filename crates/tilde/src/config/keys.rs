//! Encryption keys as they stand in the configuration. What cannot be a good key is refused here,
//! and no message repeats any part of one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::seal::key_id;
use model::Secret;
use serde_json::Value;

use super::options::{items, text};

/// Bytes of a key: AES-256.
const KEY_BYTES: usize = 32;
/// Fewest different byte values of a key. Of 10^20 random keys none has so few.
const DIFFERENT_BYTES_MIN: usize = 12;

/// A key and the id that sealed texts name it by.
pub(crate) type Key = (String, [u8; KEY_BYTES]);

/// Reads `auth.encryption.keys`.
pub(super) fn set(slot: &mut Vec<Key>, value: &Value) -> Result<(), String> {
    let items = items(value).ok_or("found no list")?;
    let mut keys: Vec<Key> = Vec::with_capacity(items.len());
    for (number, item) in (1..).zip(&items) {
        let (id, bytes) = entry(item).map_err(|why| format!("key {number}: {why}"))?;
        if keys.iter().any(|(known, key)| *known == id || *key == bytes) {
            return Err(format!("key {number}: it is in the list twice"));
        }
        keys.push((id, bytes));
    }
    *slot = keys;
    Ok(())
}

/// The bytes of a key in base64, or why it is none.
pub(crate) fn decode(base64: &str) -> Result<[u8; KEY_BYTES], String> {
    let bytes = STANDARD.decode(base64.trim()).map_err(|_| "it is not base64")?;
    let length = bytes.len();
    let key: [u8; KEY_BYTES] =
        bytes.try_into().map_err(|_| format!("it has {length} bytes, not {KEY_BYTES}"))?;
    let mut different = key;
    different.sort_unstable();
    let distinct = different.chunk_by(|a, b| a == b).count();
    let steps = key.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1)).count();
    if distinct < DIFFERENT_BYTES_MIN || steps > KEY_BYTES / 2 || key.iter().all(u8::is_ascii) {
        return Err("it is no random key, but an example or a text".to_owned());
    }
    Ok(key)
}

fn entry(item: &Value) -> Result<Key, String> {
    let (id, written) = match item {
        Value::Object(fields) => {
            if let Some(unknown) = fields.keys().find(|name| !["id", "key"].contains(&&***name)) {
                return Err(format!("unknown field `{unknown}`"));
            }
            let id = fields.get("id").map(|id| text(id).ok_or("its id is no text"));
            (id.transpose()?, fields.get("key").and_then(text).ok_or("it has no field `key`")?)
        }
        item => (None, text(item).ok_or("it is no text")?),
    };
    let bytes = decode(resolve(&written)?.expose())?;
    Ok((id.unwrap_or_else(|| key_id(&bytes)), bytes))
}

/// Replaces `${env:NAME}` and `${file:PATH}` by what they name.
fn resolve(written: &str) -> Result<Secret, String> {
    let reference = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let Some(reference) = reference else { return Ok(Secret::new(written.to_owned())) };
    match reference.split_once(':') {
        Some(("env", name)) => std::env::var(name)
            .map(Secret::new)
            .map_err(|_| format!("the environment variable {name} is not set")),
        Some(("file", path)) => std::fs::read_to_string(path)
            .map(Secret::new)
            .map_err(|error| format!("the file {path} cannot be read: {error}")),
        _ => Err("only ${env:NAME} and ${file:PATH} are known".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "zXk2qf9JrZ4v0y6G1m8Qm1c7xw5sT3eB9aUoLhRdPiE=";

    fn read(yaml: &str) -> Result<Vec<Key>, String> {
        let value: Value = serde_saphyr::from_str(yaml).expect("YAML");
        let mut keys = Vec::new();
        set(&mut keys, &value).map(|()| keys)
    }

    #[test]
    fn keys_are_read_in_every_form() {
        let bytes = decode(GOOD).expect("a key");
        let own = vec![(key_id(&bytes), bytes)];
        assert_eq!(read(&format!("[{GOOD}]")), Ok(own.clone()));
        assert_eq!(read(&format!("[{{key: {GOOD}}}]")), Ok(own.clone()));
        assert_eq!(read(&format!("[{{id: a, key: {GOOD}}}]")), Ok(vec![("a".into(), bytes)]));
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("{GOOD}\n")).expect("written");
        assert_eq!(read(&format!("['${{file:{}}}']", file.path().display())), Ok(own.clone()));
        let block = format!("- ${{file:{}}}  # as the documentation has it", file.path().display());
        assert_eq!(read(&block), Ok(own));
    }

    #[test]
    fn bad_keys_are_refused_and_never_repeated() {
        let zeros = STANDARD.encode([0; 32]);
        let counting = STANDARD.encode(std::array::from_fn::<u8, 32, _>(|index| index as u8));
        let ascii = STANDARD.encode("correct horse battery staple pwd");
        let short = STANDARD.encode([200; 16]);
        for (yaml, why) in [
            (format!("[{short}]"), "key 1: it has 16 bytes, not 32"),
            ("['not base64!']".into(), "key 1: it is not base64"),
            (format!("[{zeros}]"), "key 1: it is no random key, but an example or a text"),
            (format!("[{counting}]"), "key 1: it is no random key, but an example or a text"),
            (format!("[{ascii}]"), "key 1: it is no random key, but an example or a text"),
            (format!("[{GOOD}, {GOOD}]"), "key 2: it is in the list twice"),
            (format!("[{{id: a, kee: {GOOD}}}]"), "key 1: unknown field `kee`"),
            ("[{id: a}]".into(), "key 1: it has no field `key`"),
            (
                "['${env:TILDE_NO_SUCH}']".into(),
                "key 1: the environment variable TILDE_NO_SUCH is not set",
            ),
            ("{a: b}".into(), "found no list"),
        ] {
            assert_eq!(read(&yaml), Err(why.to_owned()), "{yaml}");
        }
    }
}
