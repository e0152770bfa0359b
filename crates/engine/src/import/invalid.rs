//! Source keys that cannot be paths: they fail the job, which names the first of them.

use model::limits;

use super::end::End;

/// Keys and reasons, as many as an error names, and the count of all.
#[derive(Default)]
pub(super) struct InvalidKeys {
    named: Vec<String>,
    count: usize,
}

impl InvalidKeys {
    pub(super) fn with(mut self, key: &[u8], reason: model::PathError) -> Self {
        self.count += 1;
        if !self.is_full() {
            self.named.push(format!("{:?} ({reason})", String::from_utf8_lossy(key)));
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// As many are named as are to be: nobody needs to look for more.
    pub(super) fn is_full(&self) -> bool {
        self.named.len() >= limits::INVALID_KEYS_NAMED_MAX
    }

    /// The end of the job, if there are any.
    pub(super) fn end(self) -> Result<(), End> {
        self.message().map_or(Ok(()), |message| Err(End::Failed(message)))
    }

    /// What the user is told, if there are any.
    pub(super) fn message(self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let least = if self.is_full() { "at least " } else { "" };
        let (count, named) = (self.count, self.named.join(", "));
        Some(format!(
            "{least}{count} source keys cannot be object paths; rename them or import another \
             prefix: {named}"
        ))
    }
}
