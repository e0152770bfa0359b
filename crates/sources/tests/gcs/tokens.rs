//! Tokens: few, renewed in time, asked for nowhere but at the operator's or Google's address.

use model::{Clock, Timestamp};
use serde_json::json;
use sources::Error;
use testkit::gcs::{CLIENT_EMAIL, FakeGcs, Fault, Op, Rule};
use testkit::{SystemClock, s3};

use super::{
    assert_discreet, at_once, config, list_all, opener, opener_of, read, reading, source, status,
    tokens_of, uri,
};

/// A clock that goes wrong by so many seconds.
struct Skewed(i64);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_ms(self.0 * 1000)
    }
}

async fn server() -> FakeGcs {
    FakeGcs::start([("a", "1"), ("b", "2")]).await
}

#[tokio::test]
async fn one_token_serves_all_who_ask_at_once() {
    let server = server().await;
    let source = source(&server);
    let lists = (0..8).map(|_| {
        let source = source.clone();
        tokio::spawn(async move { source.list(None, None).await.expect("a page").objects.len() })
    });
    for list in lists.collect::<Vec<_>>() {
        assert_eq!(list.await.expect("a listing"), 2);
    }
    assert_eq!(server.stats().count(Op::Token), 1);
    let stats = server.stats();
    assert!(stats.of(Op::List).all(|seen| seen.headers.contains_key("authorization")));
}

#[tokio::test]
async fn a_token_is_not_used_in_the_last_minute_of_its_life() {
    for (life_s, tokens) in [(3600, 1), (60, 3), (0, 3)] {
        let server = server().await;
        server.set(|settings| settings.token_life_s = life_s);
        if life_s == 0 {
            server.set(|settings| settings.checks_tokens = false);
        }
        let source = source(&server);
        for _ in 0..3 {
            source.list(None, None).await.expect("a page");
        }
        assert_eq!(server.stats().count(Op::Token), tokens, "{life_s}");
    }
}

#[tokio::test]
async fn a_token_that_ends_midway_is_replaced_and_the_request_repeated_once() {
    let server = server().await;
    let source = source(&server);
    let all = list_all(&*source).await.expect("a listing");
    server.revoke_tokens();
    assert_eq!(read(&*source, &all[0]).await.expect("an object"), b"1");
    assert_eq!((server.stats().count(Op::Token), server.stats().count(Op::Media)), (2, 2));
    assert_eq!(source.retries(), 1);
    // A token that is refused although it is new is not replaced for ever.
    server.rule(Rule::on(Op::Media, status(401, "authError")));
    let error = read(&*source, &all[0]).await.expect_err("refused");
    assert!(matches!(error, Error::Credentials { .. }), "{error}");
    assert_eq!((server.stats().count(Op::Token), server.stats().count(Op::Media)), (3, 4));
}

#[tokio::test]
async fn every_refusal_of_a_token_says_what_to_do() {
    let sign_in = |code, error| Fault::SignIn { code, error };
    let wire = Fault::Wire;
    let elsewhere = server().await;
    let cases = [
        (sign_in(400, "invalid_grant"), "(invalid_grant): check credentials_json"),
        (sign_in(401, "invalid_client"), "(invalid_client): check credentials_json"),
        (sign_in(403, "<script>"), "the source refused signing in (HTTP 403)"),
        (sign_in(503, "backendError"), "(HTTP 503, backendError): try again later (gave up after"),
        (Fault::Redirect(elsewhere.endpoint()), "redirects signing in (HTTP 307)"),
        (wire(s3::Fault::Body(b"{}".to_vec())), "does not answer with a token"),
        (
            wire(s3::Fault::Body(b"{\"access_token\":\"a\\r\\nb\",\"expires_in\":9}".to_vec())),
            "does not answer with a token",
        ),
        (wire(s3::Fault::Body(vec![b'x'; 1 << 20])), "does not answer with a token"),
        (wire(s3::Fault::StallBeforeHeaders), "did not answer within"),
        (wire(s3::Fault::ResetBeforeHeaders), "closed the connection without an answer"),
    ];
    let check = |(fault, part)| async move {
        let server = server().await;
        server.rule(Rule::on(Op::Token, fault));
        let error = source(&server).list(None, None).await.expect_err("no token");
        assert!(error.to_string().contains(part), "wanted {part:?}, got: {error}");
        assert_discreet(&error);
        assert_eq!(server.stats().count(Op::List), 0, "nothing is asked without a token");
    };
    at_once(cases.map(check)).await;
    assert_eq!(elsewhere.stats().connections, 0);
}

#[tokio::test]
async fn a_token_endpoint_that_recovers_passes_unnoticed() {
    let server = server().await;
    server.rule(Rule::on(Op::Token, Fault::SignIn { code: 500, error: "internalError" }).nth(0));
    assert_eq!(list_all(&*source(&server)).await.expect("a listing").len(), 2);
}

#[tokio::test]
async fn a_wrong_clock_is_measured() {
    let server = server().await;
    for (ahead, part) in [(-7200, "behind the source's"), (7200, "ahead of the source's")] {
        let opener = opener(Skewed(ahead), &server.endpoint(), tokens_of(&server));
        let source = opener.open(&uri(), config(json!({})), reading("")).expect("a source");
        let error = source.list(None, None).await.expect_err("refused").to_string();
        assert!(error.contains(part) && error.contains("invalid_grant"), "{error}");
    }
}

#[tokio::test]
async fn another_accounts_name_does_not_fit_the_key() {
    let server = server().await;
    let other = config(json!({ "client_email": "other@example.com" }));
    let source = opener_of(&server).open(&uri(), other, reading("")).expect("a source");
    let error = source.list(None, None).await.expect_err("refused").to_string();
    assert!(error.contains("(invalid_grant): check credentials_json"), "{error}");
    assert!(!error.contains(CLIENT_EMAIL) && !error.contains("other@"), "{error}");
}

#[tokio::test]
async fn addresses_in_the_key_are_never_used() {
    let (server, trap) = (server().await, server().await);
    let address = format!("{}/token", trap.endpoint());
    let changes = json!({
        "token_uri": address, "auth_uri": address, "gcs_base_url": address, "disable_oauth": true,
        "auth_provider_x509_cert_url": address, "client_x509_cert_url": address,
        "universe_domain": "127.0.0.1", "token_url": address,
        "credential_source": { "url": address, "file": "/etc/passwd" },
    });
    let source = opener_of(&server).open(&uri(), config(changes), reading("")).expect("a source");
    let all = list_all(&*source).await.expect("a listing");
    read(&*source, &all[0]).await.expect("an object");
    assert_eq!(server.stats().count(Op::Token), 1);
    assert_eq!(trap.stats().connections, 0);
}

#[tokio::test]
async fn storage_and_tokens_may_be_two_servers() {
    let (storage, tokens) = (server().await, server().await);
    storage.set(|settings| settings.checks_tokens = false);
    let opener = opener(SystemClock, &storage.endpoint(), tokens_of(&tokens));
    opener.validate(&uri(), &config(json!({}))).await.expect("the operator's word");
    let source = opener.open(&uri(), config(json!({})), reading("")).expect("a source");
    assert_eq!(list_all(&*source).await.expect("a listing").len(), 2);
    assert_eq!((storage.stats().count(Op::Token), tokens.stats().count(Op::Token)), (0, 1));
    assert_eq!(tokens.stats().count(Op::List), 0);
}
