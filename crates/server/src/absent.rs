//! Parts of the public API that this version does not have. A client that asks for one is told so,
//! instead of that there is nothing.

const SESSIONS: &str = "this version of Tilde has no sessions and uploads yet";

/// Why there is nothing at `path`, if it is a part that is missing.
pub(crate) fn reason(path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.strip_prefix("/api/v1/")?.split('/').collect();
    match *segments.as_slice() {
        ["organizations", _, "repositories", _, ref rest @ ..] => of_repository(rest),
        ["organizations", _, part, ..] => of_organization(part),
        ["invitations", ..] => of_organization("invitations"),
        ["auth", "me" | "keys", ..] => None,
        ["auth", _, ..] => Some("this version of Tilde has no sign-up and no web login yet"),
        _ => None,
    }
}

fn of_repository(rest: &[&str]) -> Option<&'static str> {
    match *rest {
        ["sessions" | "changes" | "object", ..] | ["objects", "delete"] => Some(SESSIONS),
        ["commits", _, "revert"] => Some("this version of Tilde cannot revert commits yet"),
        ["secrets", ..] => Some("this version of Tilde has no secrets yet"),
        ["sandboxes" | "sandbox-triggers", ..] => {
            Some("this version of Tilde has no sandboxes yet")
        }
        _ => None,
    }
}

fn of_organization(part: &str) -> Option<&'static str> {
    match part {
        "invitations" => Some("this version of Tilde has no invitations yet; add members instead"),
        "groups" | "effective-groups" => Some("this version of Tilde has no groups yet"),
        "roles" => Some("this version of Tilde has no roles yet"),
        "agents" => Some("this version of Tilde has no agents yet"),
        "policies" | "policies:validate" | "policies:generate" | "effective-policies"
        | "attachments" => Some("this version of Tilde has no policies yet"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_known_by_its_place() {
        let repository = "/api/v1/organizations/a/repositories/b";
        for path in ["/sessions", "/sessions/1/approve", "/object/finalize", "/objects/delete"] {
            assert_eq!(reason(&format!("{repository}{path}")), Some(SESSIONS), "{path}");
        }
        for (path, word) in [
            ("/api/v1/organizations/a/policies:validate", "policies"),
            ("/api/v1/organizations/a/repositories/b/commits/c/revert", "revert"),
            ("/api/v1/auth/login", "login"),
            ("/api/v1/invitations", "invitations"),
        ] {
            assert!(reason(path).is_some_and(|reason| reason.contains(word)), "{path}");
        }
        for path in [repository, "/sessions", "/api/v1/organizations/groups", "/api/v1/auth/me/x"] {
            assert_eq!(reason(path), None, "{path}");
        }
    }
}
