//! Globs the slow and plain way: every way to match is tried.

/// Whether `glob`, as a user gives it, takes the path below the destination.
pub(super) fn takes(glob: &str, path: &str) -> bool {
    let anchored = match glob.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None if glob.contains('/') => glob.to_owned(),
        None => format!("**/{glob}"),
    };
    let pattern: Vec<char> = anchored.chars().collect();
    let text: Vec<char> = path.chars().collect();
    matches(&pattern, &text)
}

fn matches(glob: &[char], text: &[char]) -> bool {
    match glob {
        [] => text.is_empty(),
        // Any folders, none too, and then the rest at the start of a name.
        ['*', '*', '/', rest @ ..] => {
            let starts = (0..=text.len()).filter(|at| *at == 0 || text[at - 1] == '/');
            starts.into_iter().any(|at| matches(rest, &text[at..]))
        }
        ['*', '*'] => true,
        ['*', rest @ ..] => {
            let name = text.iter().position(|one| *one == '/').unwrap_or(text.len());
            (0..=name).any(|at| matches(rest, &text[at..]))
        }
        ['?', rest @ ..] => {
            text.first().is_some_and(|one| *one != '/') && matches(rest, &text[1..])
        }
        [one, rest @ ..] => text.first() == Some(one) && matches(rest, &text[1..]),
    }
}

#[test]
fn globs_match_as_documented() {
    for (glob, path, expected) in [
        ("*.csv", "a/b.csv", true),
        ("*.csv", "a.csv/b", false),
        ("/*", "a", true),
        ("/*", "a/b", false),
        ("a/**", "a/b/c", true),
        ("a/**", "a", false),
        ("a/?", "a/b", true),
        ("?", "a//", false),
        ("**/a", "b//a", true),
    ] {
        assert_eq!(takes(glob, path), expected, "{glob} {path}");
    }
}
