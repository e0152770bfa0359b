//! The OpenAPI document: served, complete, and the same as the committed one.

use std::path::Path;

use serde_json::Value;
use testkit::s3::Objects;

use crate::world::{World, request};

/// Operations that need no credential.
const OPEN: [&str; 7] = [
    "signup",
    "login",
    "createDeviceCode",
    "getDeviceToken",
    "receiveUpload",
    "getDownload",
    "headDownload",
];

/// Every operation: method, path, the operation.
pub(crate) fn operations() -> Vec<(String, String, Value)> {
    let document: Value = serde_json::from_str(&server::document()).expect("it is JSON");
    let paths = document["paths"].as_object().expect("paths").clone();
    let each = paths.into_iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path item").clone();
        item.into_iter().map(move |(method, value)| (method.to_uppercase(), path.clone(), value))
    });
    each.collect()
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let generated = server::document() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &generated).expect("it is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("crates/server/openapi.json");
    assert!(
        committed == generated,
        "crates/server/openapi.json is old; UPDATE=1 cargo test -p server document writes it anew"
    );
}

#[tokio::test]
async fn it_is_served_without_a_credential() {
    let world = World::bare(Objects::new()).await;
    let answer = world.send(request("GET", "/api/v1/openapi.json", None, None)).await.is(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body, server::document());
}

#[test]
fn every_operation_is_named_and_lists_its_errors() {
    let document: Value = serde_json::from_str(&server::document()).expect("it is JSON");
    let mut ids = std::collections::BTreeSet::new();
    for (method, path, operation) in operations() {
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(ids.insert(id.clone()), "{id} names two operations");
        assert!(operation["summary"].is_string(), "{id} has no summary");
        let responses = operation["responses"].as_object().expect("responses");
        let open = operation["security"] == serde_json::json!([]);
        assert_eq!(open, OPEN.contains(&&*id), "{id}");
        let of_callers = if open { &[][..] } else { &["401", "429"] };
        for status in of_callers.iter().chain(&["500", "503"]) {
            assert!(responses.contains_key(*status), "{id} lacks {status}");
        }
        if !open && method != "GET" && method != "HEAD" {
            assert!(responses.contains_key("403"), "{id} lacks 403: a browser may be refused");
        }
        if path.contains('{') {
            assert!(responses.contains_key("404"), "{id} lacks 404");
        }
        if operation["requestBody"]["content"].get("application/json").is_some() {
            for status in ["400", "408", "413", "415"] {
                assert!(responses.contains_key(status), "{id} lacks {status}");
            }
        }
        for (status, response) in responses {
            let described = response["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described || response.get("$ref").is_some(), "{id} {status}");
            if status.as_str() < "400" || method == "HEAD" {
                continue;
            }
            let name = response["$ref"].as_str().expect("a named response");
            let name = name.strip_prefix("#/components/responses/").expect("a response");
            let content = &document["components"]["responses"][name]["content"];
            let schema = &content["application/json"]["schema"]["$ref"];
            assert_eq!(*schema, "#/components/schemas/Error", "{id} {status}");
        }
        let named = path.matches('{').count();
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        if parameters.iter().any(|parameter| parameter["in"] == "query") {
            assert!(responses.contains_key("400"), "{id} lacks 400");
        }
        let of_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
        assert_eq!(of_path.count(), named, "{id}");
    }
    for id in ["startImport", "getImportStatus", "createConnector", "getObject", "diffRefs"] {
        assert!(ids.contains(id), "{id} is missing");
    }
}

#[test]
fn extensions_are_marked() {
    let document: Value = serde_json::from_str(&server::document()).expect("it is JSON");
    let mark = "x-tilde-extension";
    let job = &document["components"]["schemas"]["ImportJob"]["properties"];
    for field in [
        "objects_missing",
        "bytes_imported",
        "use_versioning",
        "mode",
        "max_delete_percent",
        "include",
        "exclude",
        "dry_run",
        "on_error",
        "concurrency",
        "phase",
        "objects_total",
        "bytes_total",
        "listed_all",
        "objects_unchanged",
        "objects_skipped",
        "skipped",
        "objects_deleted",
        "retries",
        "bytes_per_second",
        "eta_seconds",
        "source_commit_id",
        "preview",
    ] {
        assert_eq!(job[field][mark], true, "{field}");
    }
    assert!(job["objects_imported"].get(mark).is_none());
    let schemas = &document["components"]["schemas"];
    for schema in ["Membership", "AddMember"] {
        assert_eq!(schemas[schema]["properties"]["role"][mark], true, "{schema}");
    }
    let start = &schemas["StartImport"]["properties"];
    for (field, value) in start.as_object().expect("properties") {
        let marked = [
            "mode",
            "max_delete_percent",
            "include",
            "exclude",
            "dry_run",
            "on_error",
            "concurrency",
        ];
        assert_eq!(value.get(mark).is_some(), marked.contains(&&**field), "{field}");
        assert!(value["description"].is_string(), "{field} is not described");
    }
}

#[test]
fn operations_that_are_extensions_are_marked() {
    let document: Value = serde_json::from_str(&server::document()).expect("it is JSON");
    let mark = "x-tilde-extension";
    let extensions = [
        "listAudit",
        "receiveUpload",
        "getDownload",
        "headDownload",
        "updateConnector",
        "listImports",
        "watchImport",
        "listImportChanges",
        "cancelImport",
        "retryImport",
    ];
    for (_, path, operation) in operations() {
        let id = operation["operationId"].as_str().expect("an id");
        assert_eq!(operation.get(mark).is_some(), extensions.contains(&id), "{path}");
    }
    let start = "/api/v1/organizations/{organization}/repositories/{repository}/import";
    let parameters = &document["paths"][start]["post"]["parameters"];
    let parameters = parameters.as_array().expect("parameters");
    let key = parameters.iter().find(|parameter| parameter["name"] == "Idempotency-Key");
    assert_eq!(key.expect("the header")[mark], true);
}
