//! Signing in with a browser: cookies, the token against requests of other sites, and what ends a
//! login; the caller's own account.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{Answer, ORG, PASSWORD, REPO, World, request};

const LOGIN: &str = "/api/v1/auth/login";
const LOGOUT: &str = "/api/v1/auth/logout";
const ME: &str = "/api/v1/auth/me";

/// A browser that is signed in.
pub(crate) struct Browser {
    /// What it sends as `Cookie`.
    cookie: String,
    csrf: String,
}

impl Browser {
    /// Signs the owner in.
    pub(crate) async fn sign_in(world: &World) -> Self {
        let body = json!({"login": "admin", "password": PASSWORD});
        let answer = world.send(request("POST", LOGIN, None, Some(body))).await.is(200);
        let value = |name: &str| {
            let set = set_cookies(&answer.headers);
            let pair = set.iter().find_map(|cookie| cookie.split(';').next()?.strip_prefix(name));
            pair.expect("the cookie").trim_start_matches('=').to_owned()
        };
        let (session, csrf) = (value("tilde_session"), value("tilde_csrf"));
        Self { cookie: format!("other=1; tilde_session={session}; tilde_csrf={csrf}"), csrf }
    }

    /// A request with cookies and these headers.
    async fn send(
        &self,
        world: &World,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let cookie = [("cookie", &*self.cookie)];
        world.bytes(method, path, None, &[&cookie, headers].concat(), body).await
    }

    async fn get(&self, world: &World, path: &str) -> Answer {
        self.send(world, ("GET", path), &[], None).await
    }

    /// A change as the server's own page asks for it.
    pub(crate) async fn change(
        &self,
        world: &World,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let headers = [("x-csrf-token", &*self.csrf), ("sec-fetch-site", "same-origin")];
        self.send(world, (method, path), &headers, body).await
    }
}

fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("ASCII")).collect()
}

#[tokio::test]
async fn a_login_gives_two_cookies_and_the_user() {
    let world = World::bare(Objects::new()).await;
    let body = json!({"login": "admin", "password": PASSWORD, "unknown": 1});
    let answer = world.send(request("POST", LOGIN, None, Some(body))).await.is(200);
    let user = &answer.json()["user"];
    assert_eq!((&user["username"], &user["bio"]), (&json!("admin"), &json!("")));
    assert_eq!(answer.header("cache-control"), "no-store");
    let [session, csrf] = set_cookies(&answer.headers)[..] else { panic!("two cookies") };
    assert!(session.starts_with("tilde_session=") && csrf.starts_with("tilde_csrf="));
    for cookie in [session, csrf] {
        for part in ["; Path=/", "; Max-Age=604800", "; SameSite=Lax", "; Secure"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    assert!(session.contains("; HttpOnly") && !csrf.contains("HttpOnly"));
    let text = String::from_utf8_lossy(&answer.body);
    let secret = session["tilde_session=".len()..].split(';').next().expect("a value");
    assert!(!text.contains(secret) && !csrf.contains(secret));

    let me = Browser::sign_in(&world).await.get(&world, ME).await.is(200);
    assert_eq!(me.json()["user"], *user);
    assert!(set_cookies(&me.headers).is_empty());
}

#[tokio::test]
async fn a_login_that_fails_gives_none() {
    let world = World::bare(Objects::new()).await;
    for (body, status) in [
        (json!({"login": "admin", "password": "wrong"}), 401),
        (json!({"login": "nobody", "password": PASSWORD}), 401),
        (json!({"login": "", "password": ""}), 401),
        (json!({"login": "admin"}), 400),
        (json!({"login": "admin", "password": {"secret": PASSWORD}}), 400),
    ] {
        let answer = world.send(request("POST", LOGIN, None, Some(body))).await;
        let message = answer.refused(status);
        assert!(set_cookies(&answer.headers).is_empty() && !message.contains(PASSWORD));
    }
    let body = json!({"login": "admin", "password": PASSWORD}).to_string();
    let headers = [("sec-fetch-site", "cross-site")];
    let answer = world.bytes("POST", LOGIN, None, &headers, body).await;
    answer.refused(403);
    assert!(set_cookies(&answer.headers).is_empty());
}

#[tokio::test]
async fn wrong_passwords_lock_the_login_too() {
    let world = World::bare(Objects::new()).await;
    let body = || Some(json!({"login": "admin", "password": "wrong"}));
    for _ in 0..10 {
        world.send(request("POST", LOGIN, None, body())).await.refused(401);
    }
    let body = Some(json!({"login": "admin", "password": PASSWORD}));
    let locked = world.send(request("POST", LOGIN, None, body)).await;
    locked.refused(429);
    assert_eq!(locked.json()["code"], "ACCOUNT_LOCKED");
    assert!(locked.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds <= 900));
}

#[tokio::test]
async fn a_change_by_cookie_shows_the_token_that_other_sites_cannot_see() {
    let world = World::new(Objects::new()).await;
    let browser = Browser::sign_in(&world).await;
    let other = Browser::sign_in(&world).await;
    let path = format!("{ORG}/repositories");
    let body = || Some(json!({"name": "more"}));
    let own = [("x-csrf-token", &*browser.csrf)];
    for (headers, code) in [
        (&[][..], "CSRF_TOKEN_MISSING"),
        (&[("x-csrf-token", "")], "CSRF_TOKEN_INVALID"),
        (&[("x-csrf-token", &*other.csrf)], "CSRF_TOKEN_INVALID"),
        (&[own[0], ("sec-fetch-site", "cross-site")], "CROSS_SITE_REQUEST"),
    ] {
        let answer = browser.send(&world, ("POST", &path), headers, body()).await;
        answer.refused(403);
        assert_eq!(answer.json()["code"], code);
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let path = match method {
            "PATCH" => ME.to_owned(),
            _ => format!("{path}/data"),
        };
        browser.send(&world, (method, &path), &[], Some(json!({}))).await.refused(403);
    }
    assert_eq!(world.get(&path).await.json()["results"][1], Value::Null, "nothing was made");
    browser.change(&world, "POST", &path, body()).await.is(201);
    let read = [("sec-fetch-site", "cross-site")];
    browser.send(&world, ("GET", &path), &read, None).await.is(200);
}

#[tokio::test]
async fn an_authorization_header_leaves_cookies_out() {
    let world = World::new(Objects::new()).await;
    let browser = Browser::sign_in(&world).await;
    for bad in ["Bearer tuk-wrong", "Bearer", "nonsense"] {
        browser.send(&world, ("GET", ME), &[("authorization", bad)], None).await.refused(401);
    }
    let bearer = format!("Bearer {}", world.stranger);
    let headers = [("authorization", &*bearer)];
    let me = browser.send(&world, ("GET", ME), &headers, None).await.is(200);
    assert_eq!(me.json()["user"]["username"], "mallory");
    assert!(set_cookies(&me.headers).is_empty());
    let body = Some(json!({"full_name": "Mallory"}));
    browser.send(&world, ("PATCH", ME), &headers, body).await.is(200);
    let out = browser.send(&world, ("POST", LOGOUT), &headers, None).await.is(204);
    assert!(set_cookies(&out.headers).is_empty());
    browser.get(&world, ME).await.is(200);
}

#[tokio::test]
async fn a_login_ends_when_it_is_ended_and_with_its_time() {
    let world = World::bare(Objects::new()).await;
    let (first, second) = (Browser::sign_in(&world).await, Browser::sign_in(&world).await);
    first.send(&world, ("POST", LOGOUT), &[], None).await.refused(403);
    let out = first.change(&world, "POST", LOGOUT, None).await.is(204);
    let cleared = set_cookies(&out.headers);
    assert_eq!(cleared.len(), 2);
    assert!(cleared.iter().all(|cookie| cookie.contains("=; ") && cookie.contains("Max-Age=0")));
    first.get(&world, ME).await.refused(401);
    first.change(&world, "POST", LOGOUT, None).await.refused(401);
    second.get(&world, ME).await.is(200);
    world.clock.forward_ms(7 * 24 * 60 * 60 * 1_000 + 1_000);
    second.get(&world, ME).await.refused(401);
    world.send(request("POST", LOGOUT, None, None)).await.refused(401);
}

#[tokio::test]
async fn a_stream_ends_with_the_login_that_began_it() {
    let mut world = World::new(Objects::from([("a", "1")])).await;
    world.rest().await;
    let body = json!({"connector_id": world.attached().await, "destination_path": ""});
    let job = world.post(&format!("{REPO}/import"), body).await.is(202).json();
    let path = format!("{REPO}/import/{}/events", job["job_id"].as_str().expect("an id"));
    let browser = Browser::sign_in(&world).await;
    let request = Request::get(path).header("cookie", &browser.cookie).body(Body::empty());
    let response = world.begin(request.expect("a legal request")).await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let first = body.frame().await.expect("a frame").expect("an event");
    let first = first.into_data().expect("data");
    assert!(first.starts_with(b"event: progress"), "{first:?}");
    browser.change(&world, "POST", LOGOUT, None).await.is(204);
    let rest = tokio::time::timeout(Duration::from_secs(10), body.collect()).await;
    let rest = rest.expect("it ends").expect("a clean end").to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("event: error") && rest.contains("UNAUTHORIZED"), "{rest}");
}

#[tokio::test]
async fn an_account_changes_what_is_given_and_nothing_else() {
    let world = World::bare(Objects::new()).await;
    let patch = async |body: Value| world.call("PATCH", ME, Some(body)).await;
    let user = patch(json!({"full_name": "Ada", "bio": "Counts."})).await.is(200).json();
    assert_eq!((&user["full_name"], &user["bio"]), (&json!("Ada"), &json!("Counts.")));
    assert_eq!(patch(json!({"bio": ""})).await.is(200).json()["full_name"], "Ada");
    assert_eq!(world.get(ME).await.json()["user"]["bio"], "");
    for (body, part) in [
        (json!({"email": "a@b"}), "email"),
        (json!({"username": "x"}), "username"),
        (json!({"full_name": 1}), "full_name"),
        (json!({"full_name": "a\nb"}), "full_name"),
        (json!({"full_name": "x".repeat(256)}), "full_name"),
        (json!({"bio": "x".repeat(4_097)}), "bio"),
    ] {
        let message = patch(body).await.refused(400);
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_other_logins() {
    let world = World::bare(Objects::new()).await;
    let (own, other) = (Browser::sign_in(&world).await, Browser::sign_in(&world).await);
    let path = "/api/v1/auth/me/password";
    for (body, part) in [
        (json!({"new_password": "a new password"}), "current_password"),
        (json!({"new_password": "a new password", "current_password": "no"}), "current_password"),
        (json!({"new_password": "short", "current_password": PASSWORD}), "new_password"),
        (json!({"current_password": PASSWORD}), "new_password: required"),
        (json!({"new_password": ["a new password"], "current_password": PASSWORD}), "string"),
        (json!({"new_password": "a new password", "current": PASSWORD}), "unknown field"),
    ] {
        let message = own.change(&world, "PUT", path, Some(body)).await.refused(400);
        assert!(message.contains(part) && !message.contains("a new"), "{message}");
    }
    let body = json!({"new_password": "a new password", "current_password": PASSWORD});
    own.change(&world, "PUT", path, Some(body)).await.is(204);
    own.get(&world, ME).await.is(200);
    other.get(&world, ME).await.refused(401);
    world.get(ME).await.is(200);
    for (password, status) in [(PASSWORD, 401), ("a new password", 200)] {
        let body = json!({"login": "admin", "password": password});
        world.send(request("POST", LOGIN, None, Some(body))).await.is(status);
    }
}

#[tokio::test]
async fn nobody_signs_up() {
    let world = World::bare(Objects::new()).await;
    let body = json!({"username": "eve", "email": "e@v.e", "full_name": "", "password": PASSWORD});
    let answer = world.send(request("POST", "/api/v1/auth/signup", None, Some(body))).await;
    assert!(answer.refused(403).starts_with("signup is closed"));
    assert_eq!(answer.json()["code"], "SIGNUP_CLOSED");
}
