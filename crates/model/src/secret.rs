//! A text that must not be seen: no `Debug`, no `Display`, no `Serialize`, wiped when dropped.

use zeroize::Zeroizing;

/// A secret. Reading it is explicit, so that a search for `expose` finds every use.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
