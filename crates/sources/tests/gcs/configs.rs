//! The config: read strictly, refused by field, shown never.

use model::ConnectorKind;
use serde_json::{Value, json};
use sources::SourceConfig;
use testkit::gcs::{credentials, credentials_json};

fn message(config: Value) -> String {
    match SourceConfig::parse(ConnectorKind::Gcs, &config) {
        Ok(_) => panic!("accepted: {config}"),
        Err(error) => error.to_string(),
    }
}

fn with(changes: Value) -> Value {
    json!({ "credentials_json": credentials_json(changes) })
}

#[test]
fn a_key_is_a_text_or_leniently_an_object() {
    for config in [
        with(json!({})),
        with(json!({ "private_key_id": null, "project_id": null, "token_uri": null })),
        json!({ "credentials_json": credentials(json!({})), "project_id": "example.com:p-1" }),
        json!({ "credentials_json": format!("{:#}\n", credentials(json!({}))) }),
    ] {
        assert!(SourceConfig::parse(ConnectorKind::Gcs, &config).is_ok(), "{config}");
    }
}

#[test]
fn every_fault_names_its_field() {
    const ELLIPTIC: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+ZlQVDrrb8eXbNQT\n\
        IakUWQ6xcIaN4C2ruinSqT2AKuuhRANCAATuzgykBSKWF9mEcFR1j+zhexEbX4gv\n\
        YB789xjdlWOz012+xtIzYPKByHx23/Sxnaaxbi4JqcRh/KrrYqqx+PJ1\n\
        -----END PRIVATE KEY-----\n";
    let good = credentials_json(json!({}));
    let many = "x".repeat(40_000);
    let typed = |kind: Value| with(json!({ "type": kind }));
    for (config, part) in [
        (json!(null), "config must be an object"),
        (json!({}), "config.credentials_json is required"),
        (json!({ "credentials_json": good, "endpoint": "http://x" }), "\"endpoint\": a gcs conn"),
        (json!({ "credentials_json": good, "token_uri": "http://x" }), "credentials_json and proj"),
        (json!({ "credentials_json": good, "project_id": " p" }), "config.project_id must not"),
        (json!({ "credentials_json": good, "project_id": "a\r\nb" }), "config.project_id must"),
        (json!({ "credentials_json": good, "project_id": 7 }), "config.project_id must be a text"),
        (json!({ "credentials_json": " " }), "config.credentials_json must not be blank"),
        (json!({ "credentials_json": many }), "config.credentials_json is too long"),
        (json!({ "credentials_json": "{" }), "must be the JSON key of a service account"),
        (json!({ "credentials_json": "/etc/key.json" }), "must be the JSON key of a service"),
        (json!({ "credentials_json": [1] }), "the JSON key of a service account"),
        (json!({ "credentials_json": null }), "the JSON key of a service account"),
        (typed(json!(null)), "create a JSON key for a service account"),
        (typed(json!("external_account")), "create a JSON key for a service account"),
        (typed(json!("authorized_user")), "create a JSON key for a service account"),
        (typed(json!("impersonated_service_account")), "create a JSON key"),
        (typed(json!(7)), "must be the JSON key of a service account"),
        (with(json!({ "client_email": null })), "has no good client_email"),
        (with(json!({ "client_email": "a b\n" })), "has no good client_email"),
        (with(json!({ "private_key": null })), "has no private_key"),
        (with(json!({ "private_key": "" })), "not an RSA key of 2048 bits or more"),
        (with(json!({ "private_key": "/etc/key.pem" })), "not an RSA key of 2048 bits or more"),
        (with(json!({ "private_key": ELLIPTIC })), "not an RSA key of 2048 bits or more"),
    ] {
        let message = message(config);
        assert!(message.contains(part), "wanted {part:?}, got: {message}");
        assert!(!message.contains("PRIVATE KEY") && !message.contains("/etc"), "{message}");
    }
}

#[test]
fn a_damaged_key_is_refused_without_showing_it() {
    let whole = credentials(json!({}))["private_key"].as_str().expect("a text").to_owned();
    let cut = whole.replacen("MII", "MIA", 1);
    let message = message(with(json!({ "private_key": cut })));
    assert!(message.contains("has a private_key") && !message.contains("MIA"), "{message}");
}
