//! Keys that S3 allows and careless code breaks.

/// A key of 1,024 bytes, the most that S3 allows.
const LONGEST: [u8; 1024] = {
    let mut key = [b'l'; 1024];
    let mut at = 0;
    while at < key.len() {
        key[at] = if at % 100 == 99 { b'/' } else { b'a' + (at % 26) as u8 };
        at += 1;
    }
    key
};

/// Legal keys, each different in bytes from every other; none is empty or holds a NUL.
pub const ODD_KEYS: &[&str] = &[
    // Segments a path library would merge, resolve or drop.
    "a",
    "a/",
    "a/b",
    "a//b",
    "a///b",
    "/lead",
    "//lead",
    "/",
    "//",
    "trail/",
    "trail//",
    "dots/../up",
    "dots/./cur",
    "../out",
    "./here",
    ".",
    "..",
    "...",
    ".hidden",
    "dot.",
    // What URLs give a meaning to.
    "pct%20x",
    "pct%2Fx",
    "pct%2520x",
    "pct%",
    "pct%zz",
    "a+b",
    "a b",
    " lead space",
    "trail space ",
    "two  spaces",
    "q?x",
    "q?versionId=1",
    "h#x",
    "&=",
    "a=b&c=d;e",
    "http://host/path",
    "a:b@c",
    "~",
    "~tilde/~x",
    "!$'(),",
    "*",
    "[x]{y}|z^`",
    // What XML, JSON and shells give a meaning to.
    "<&>",
    "&amp;",
    "]]>",
    "\"quoted\"",
    "it's",
    "back\\slash",
    "$HOME",
    // Control characters.
    "new\nline",
    "carriage\rreturn",
    "tab\there",
    "unit\u{1f}separator",
    "delete\u{7f}",
    // Unicode: two spellings of one word, outside the BMP, right to left, invisible.
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{1f600}/\u{1f9ea}",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{202e}rtl",
    "\u{feff}bom",
    "zero\u{200b}width",
    "\u{65e5}\u{672c}\u{8a9e}.txt",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    // Pairs that differ only in case, and names that file systems reserve.
    "Case",
    "case",
    "CON",
    "aux.txt",
    match std::str::from_utf8(&LONGEST) {
        Ok(key) => key,
        Err(_) => panic!("the key is ASCII"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn odd_keys_are_legal_and_distinct() {
        let distinct: BTreeSet<&[u8]> = ODD_KEYS.iter().map(|key| key.as_bytes()).collect();
        assert_eq!(distinct.len(), ODD_KEYS.len());
        for key in ODD_KEYS {
            assert!((1..=1024).contains(&key.len()) && !key.contains('\0'), "{key:?}");
        }
        assert!(ODD_KEYS.iter().any(|key| key.len() == 1024));
    }
}
