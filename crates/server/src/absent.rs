//! Parts of the public API that this version does not have. A client that asks for one is told so,
//! instead of that there is nothing.

/// Why there is nothing at `path`, if it is a part that is missing.
pub(crate) fn reason(path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.strip_prefix("/api/v1/")?.split('/').collect();
    match *segments.as_slice() {
        ["organizations", _, "repositories", _, ref rest @ ..] => of_repository(rest),
        ["organizations", _, part, ..] => of_organization(part),
        ["invitations", ..] => of_organization("invitations"),
        ["auth", ref rest @ ..] => of_accounts(rest),
        _ => None,
    }
}

fn of_repository(rest: &[&str]) -> Option<&'static str> {
    match *rest {
        ["sessions", _, "approve"] => Some("this version of Tilde has no approvals yet"),
        ["object", "stage"] => Some("PUT .../object begins an upload"),
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

fn of_accounts(rest: &[&str]) -> Option<&'static str> {
    match *rest {
        ["forgot-password" | "reset-password"] => Some(
            "this version of Tilde sends no mail yet; whoever runs the server can set a password",
        ),
        ["emails", ..] => Some("this version of Tilde sends no mail yet"),
        ["oauth", ..] | ["me", "identities", ..] => {
            Some("this version of Tilde has no sign-in with other services yet")
        }
        ["validate-invitation-token"] => of_organization("invitations"),
        ["check-password-strength" | "check-username" | "search-users"] => {
            Some("this version of Tilde has no sign-up yet")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_known_by_its_place() {
        let repository = "/api/v1/organizations/a/repositories/b";
        for (path, word) in [
            ("/api/v1/organizations/a/policies:validate", "policies"),
            ("/api/v1/organizations/a/repositories/b/sessions/c/approve", "approvals"),
            ("/api/v1/organizations/a/repositories/b/secrets/c", "secrets"),
            ("/api/v1/auth/forgot-password", "mail"),
            ("/api/v1/auth/me/identities/google", "sign-in"),
            ("/api/v1/auth/oauth/providers", "sign-in"),
            ("/api/v1/invitations", "invitations"),
        ] {
            assert!(reason(path).is_some_and(|reason| reason.contains(word)), "{path}");
        }
        for path in [repository, "/sessions", "/api/v1/organizations/groups", "/api/v1/auth/me/x"] {
            assert_eq!(reason(path), None, "{path}");
        }
        assert_eq!(reason(&format!("{repository}/sessions/1")), None);
    }
}
