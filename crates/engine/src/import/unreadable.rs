//! Objects that could not be read: the job fails naming the first of them.

use model::limits;

use super::end::End;

/// Keys and reasons, as many as an error names, and the count of all.
#[derive(Default)]
pub(super) struct Unreadable {
    named: Vec<(String, String)>,
    count: u64,
}

impl Unreadable {
    pub(super) fn add(&mut self, key: &[u8], reason: String) {
        self.count += 1;
        if self.named.len() < limits::KEYS_NAMED_MAX {
            self.named.push((String::from_utf8_lossy(key).into_owned(), reason));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One sentence: the reason once where all share it, else key by key.
    pub(super) fn end(&self) -> End {
        let Some((_, first)) = self.named.first() else {
            return End::failed("an object could not be read");
        };
        let objects = if self.count == 1 { "object" } else { "objects" };
        if self.named.iter().all(|(_, reason)| reason == first) {
            let keys: Vec<String> = self.named.iter().map(|(key, _)| format!("{key:?}")).collect();
            let (count, keys) = (self.count, keys.join(", "));
            return End::failed(format!("could not read {count} {objects}: {first}; keys: {keys}"));
        }
        let each: Vec<String> =
            self.named.iter().map(|(key, reason)| format!("{key:?}: {reason}")).collect();
        End::failed(format!("could not read {} {objects}: {}", self.count, each.join("; ")))
    }
}
