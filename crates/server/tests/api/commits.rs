//! The log, a commit, the difference of two.

use sample::Object;
use serde_json::{Value, json};
use testkit::s3::Objects;

use crate::world::{REPO, World};

/// Two commits: the second changes `a`, adds `d`; `b` and `c` stay.
async fn two_commits() -> (World, String, String) {
    let world = World::imported(Objects::from([("a", "1"), ("b", "1"), ("c/x", "1")])).await;
    let first = world.head().await;
    world.source.put("a", Object::new("22"));
    world.source.put("d", Object::new("1"));
    let connectors = world.get(&format!("{REPO}/connectors")).await.json();
    let id = &connectors["results"][0]["id"];
    let body = json!({"connector_id": id, "destination_path": "", "commit_message": "Second"});
    assert_eq!(world.import(body).await["status"], "completed");
    let second = world.head().await;
    (world, first, second)
}

fn paths(page: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = page["results"].as_array().expect("a list").iter();
    rows.map(|row| (text(&row["path"]), text(&row["status"]))).collect()
}

#[tokio::test]
async fn the_log_is_newest_first_and_paged() {
    let (world, first, second) = two_commits().await;
    let log = async |query: &str| world.get(&format!("{REPO}/log?{query}")).await.is(200).json();
    let ids = |page: &Value| {
        let rows = page["results"].as_array().expect("a list").iter();
        rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&log("").await), [second.clone(), first.clone()]);
    let page = log("amount=1").await;
    assert_eq!((ids(&page), &page["pagination"]["has_more"]), (vec![second.clone()], &json!(true)));
    let after = page["pagination"]["next_offset"].as_str().expect("a cursor");
    let page = log(&format!("amount=1&after={after}")).await;
    assert_eq!((ids(&page), &page["pagination"]["has_more"]), (vec![first.clone()], &json!(false)));
    let older = log(&format!("ref={first}")).await;
    assert_eq!((ids(&older).len(), &older["results"][0]["id"]), (1, &json!(first)));
    assert_eq!(ids(&log("object=d").await), [second]);
    assert_eq!(ids(&log("prefix=c%2F").await), [first]);
    world.get(&format!("{REPO}/log?amount=x")).await.refused(400);
    world.get(&format!("{REPO}/log?ref=00000000")).await.refused(404);
}

#[tokio::test]
async fn a_commit_has_all_its_fields() {
    let (world, first, second) = two_commits().await;
    let commit = world.get(&format!("{REPO}/commits/{second}")).await.is(200).json();
    assert_eq!(commit["id"], second);
    assert_eq!(commit["parents"], json!([first]));
    assert_eq!(commit["message"], "Second");
    assert_eq!(
        (&commit["committer"], &commit["committer_type"]),
        (&json!("admin"), &json!("user"))
    );
    assert_eq!((&commit["object_count"], &commit["total_size"]), (&json!(4), &json!(5)));
    assert_eq!(commit["is_stale"], false);
    assert!(commit["metadata"].is_object());
    assert!(commit["creation_date"].as_str().expect("a time").ends_with('Z'));
    let short = world.get(&format!("{REPO}/commits/{}", &second[..8])).await.is(200).json();
    assert_eq!(short["id"], second);
    let root = world.get(&format!("{REPO}/commits/{first}")).await.is(200).json();
    assert_eq!(root["parents"], json!([]));
    for unknown in ["x", "00000000", &"0".repeat(64), &second[..7]] {
        world.get(&format!("{REPO}/commits/{unknown}")).await.refused(404);
    }
}

#[tokio::test]
async fn a_diff_names_what_changed() {
    let (world, first, second) = two_commits().await;
    let diff = async |query: &str| world.get(&format!("{REPO}/diff?{query}")).await.is(200).json();
    let row = |path: &str, status: &str| (path.to_owned(), status.to_owned());
    let page = diff(&format!("left={first}&right={second}")).await;
    assert_eq!(paths(&page), [row("a", "modified"), row("d", "added")]);
    assert_eq!(page["results"][0]["entry"]["size"], 2);
    assert_eq!(page["pagination"]["max_per_page"], 1_000);
    let back = diff(&format!("left={second}&right={first}&amount=1")).await;
    assert_eq!(paths(&back), [row("a", "modified")]);
    let after = back["pagination"]["next_offset"].as_str().expect("a cursor");
    let back = diff(&format!("left={second}&right={first}&after={after}")).await;
    assert_eq!(paths(&back), [row("d", "removed")]);
    let all = diff(&format!("right={first}&delimiter=%2F")).await;
    assert_eq!(paths(&all), [row("a", "added"), row("b", "added"), row("c/", "added")]);
    assert_eq!(all["results"][2]["type"], "prefix");
    assert_eq!(paths(&diff(&format!("left={first}&right={first}")).await), []);
    let message = world.get(&format!("{REPO}/diff?left={first}")).await.refused(400);
    assert_eq!(message, "right: required");
    world.get(&format!("{REPO}/diff?right=00000000")).await.refused(404);
}

#[tokio::test]
async fn a_revert_undoes_one_commit() {
    let (world, first, second) = two_commits().await;
    let revert = |commit: &str| format!("{REPO}/commits/{commit}/revert");
    let made = world.call("POST", &revert(&second), None).await.is(201).json();
    let id = made["commit_id"].as_str().expect("an id");
    assert_eq!(world.head().await, id);
    let commit = world.get(&format!("{REPO}/commits/{id}")).await.is(200).json();
    assert_eq!(commit["message"], "Revert \"Second\"");
    assert_eq!(commit["parents"], json!([second]));
    let diff = format!("{REPO}/diff?left={first}&right={id}");
    assert_eq!(paths(&world.get(&diff).await.is(200).json()), []);

    let body = json!({"message": "Again", "metadata": {"why": "test"}});
    let made = world.post(&revert(id), body).await.is(201).json();
    let again = made["commit_id"].as_str().expect("an id");
    let commit = world.get(&format!("{REPO}/commits/{again}")).await.is(200).json();
    assert_eq!(
        (&commit["message"], &commit["metadata"]),
        (&json!("Again"), &json!({"why": "test"}))
    );
    world.post(&revert(&again[..8]), json!({})).await.is(201);
}

#[tokio::test]
async fn what_cannot_be_reverted_is_refused() {
    let (world, first, second) = two_commits().await;
    let revert = |commit: &str| format!("{REPO}/commits/{commit}/revert");
    world.call("POST", &revert(&first), None).await.refused(400);
    world.call("POST", &revert("00000000"), None).await.refused(404);
    world.committed("d", "changed since").await;
    let message = world.call("POST", &revert(&second), None).await.refused(409);
    assert!(message.contains('d'), "{message}");
    for body in ["[]", "{", r#"{"message": 1}"#, r#"{"metadata": {"a": 1}}"#] {
        let headers = [("content-type", "application/json")];
        let owner = Some(&*world.owner);
        world.bytes("POST", &revert(&second), owner, &headers, body).await.refused(400);
    }
    let headers = [("content-type", "text/plain")];
    let owner = Some(&*world.owner);
    world.bytes("POST", &revert(&second), owner, &headers, "x").await.refused(415);
}

#[tokio::test]
async fn a_filtered_log_pages_through_what_touches_a_path() {
    let world = World::new(Objects::new()).await;
    let mut touching = Vec::new();
    for number in 0..3 {
        touching.push(world.committed("dir/a", &number.to_string()).await);
        world.committed("b", &number.to_string()).await;
    }
    touching.reverse();
    for filter in ["object=dir%2Fa", "prefix=dir"] {
        let (mut ids, mut after) = (Vec::new(), String::new());
        loop {
            let uri = format!("{REPO}/log?{filter}&amount=2&after={after}");
            let page = world.get(&uri).await.is(200).json();
            let rows = page["results"].as_array().expect("a list");
            ids.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
            if page["pagination"]["has_more"] == false {
                break;
            }
            assert!(!rows.is_empty(), "a page with more to come is never empty");
            after = page["pagination"]["next_offset"].as_str().expect("a cursor").to_owned();
        }
        assert_eq!(ids, touching, "{filter}");
    }
    world.get(&format!("{REPO}/log?object=dir%2Fa&prefix=b")).await.refused(400);
}
