//! The web console: which addresses are its page, how it is kept and fenced in, and that what is
//! stored here never runs beside it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use testkit::s3::Objects;

use crate::world::{Answer, PUBLIC_URL, REPO, World, escaped};

/// What a browser asks for when it shows a page.
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
img-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
form-action 'self'";

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    world.bytes("GET", path, None, headers, "").await
}

fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../console/dist")
}

/// The paths of the committed files, with their content.
fn committed() -> Vec<(String, Vec<u8>)> {
    let mut folders = vec![dist()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(dist()).expect("it is below").display().to_string();
            files.push((format!("/{name}"), std::fs::read(&path).expect("a file")));
        }
    }
    files
}

#[tokio::test]
async fn every_address_of_a_person_is_the_page() {
    let world = World::bare(Objects::new()).await;
    let page = std::fs::read(dist().join("index.html")).expect("console/dist/index.html");
    for path in [
        "/",
        "/device",
        "/device?user_code=%3Cscript%3E",
        "/login",
        "/acme",
        "/acme/data/tree/head/a%2F..%2Fb/%3Cscript%3E",
        "/acme/data/object/head?path=%FF",
        "/acme/assets/api/v1",
        "//",
        "/apis",
    ] {
        let answer = get(&world, path, &[PAGE]).await.is(200);
        assert!(answer.body == page, "{path}");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("vary", "accept, accept-encoding"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(answer.header("permissions-policy").contains("camera=()"));
        assert!(answer.headers.get("set-cookie").is_none());
        let head = world.bytes("HEAD", path, None, &[PAGE], "").await.is(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), page.len().to_string());
    }
}

#[tokio::test]
async fn what_is_no_page_stays_what_it_is() {
    let world = World::new(Objects::new()).await;
    for path in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v2/organizations",
        "/assets",
        "/assets/",
        "/assets/device.js",
        "/assets/index-00000000.js",
        "/assets/../index.html",
        "/livez/x",
        "/readyz/x",
        "/metrics",
    ] {
        get(&world, path, &[PAGE]).await.refused(404);
    }
    for accept in ["*/*", "application/json", "text/html;q=0", ""] {
        get(&world, "/acme", &[("accept", accept)]).await.refused(404);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        world.bytes(method, "/acme", None, &[PAGE], "").await.refused(404);
        world.bytes(method, "/", None, &[PAGE], "").await.refused(405);
    }
    get(&world, "/livez", &[PAGE]).await.is(200).json();
    get(&world, "/api/v1/openapi.json", &[PAGE]).await.is(200).json();
}

#[tokio::test]
async fn a_program_is_told_in_words() {
    let world = World::bare(Objects::new()).await;
    for path in ["/", "/device"] {
        let answer = get(&world, path, &[("accept", "*/*")]).await.is(200);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("vary"), "accept");
        let text = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
        for part in ["Tilde 0.0.0-test", PUBLIC_URL, "/api/v1/openapi.json", "admin.key"] {
            assert!(text.contains(part), "{part}");
        }
    }
}

#[tokio::test]
async fn every_file_is_served_as_it_was_committed() {
    let world = World::bare(Objects::new()).await;
    let files = committed();
    assert!(files.len() > 10);
    let mut tags = BTreeSet::new();
    for (path, content) in &files {
        let plain = get(&world, path, &[]).await.is(200);
        assert!(plain.body == *content, "{path}");
        let cache = plain.header("cache-control");
        match path.starts_with("/assets/") {
            true => assert_eq!(cache, "public, max-age=31536000, immutable", "{path}"),
            false => assert_eq!(cache, "no-cache", "{path}"),
        }
        assert_eq!(plain.header("content-security-policy"), POLICY);
        assert_eq!(plain.header("x-content-type-options"), "nosniff");
        assert!(tags.insert(plain.header("etag").to_owned()), "{path}");
        let known = [("if-none-match", plain.header("etag"))];
        let known = get(&world, path, &known).await.is(304);
        assert!(known.body.is_empty());
        assert_eq!(known.header("cache-control"), cache);
        get(&world, path, &[("if-none-match", "\"other\"")]).await.is(200);
    }
}

#[tokio::test]
async fn what_is_large_comes_compressed_to_whoever_takes_that() {
    let world = World::bare(Objects::new()).await;
    let files = committed();
    let script = files.iter().filter(|(path, _)| path.ends_with(".js"));
    let (path, content) = script.max_by_key(|(_, content)| content.len()).expect("a script");
    let plain = get(&world, path, &[]).await.is(200);
    for taken in ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.5"] {
        let answer = get(&world, path, &[("accept-encoding", taken)]).await.is(200);
        assert_eq!(answer.header("content-encoding"), "gzip");
        assert_ne!(answer.header("etag"), plain.header("etag"));
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert!(answer.body.len() * 2 < content.len());
        let mut bytes = Vec::new();
        GzDecoder::new(&*answer.body).read_to_end(&mut bytes).expect("gzip");
        assert!(bytes == *content);
    }
    for refused in ["identity", "gzip;q=0", "br", ""] {
        let answer = get(&world, path, &[("accept-encoding", refused)]).await.is(200);
        assert!(answer.headers.get("content-encoding").is_none() && answer.body == *content);
    }
}

#[test]
fn the_page_loads_only_files_of_its_own() {
    let page = std::fs::read_to_string(dist().join("index.html")).expect("a page");
    for part in [" style=", "<style", " on", "javascript:", "http:", "https:", "\"//"] {
        assert!(!page.contains(part), "{part}");
    }
    let scripts = page.matches("<script").count();
    assert_eq!(scripts, page.matches("src=\"/assets/").count());
    assert!(scripts == 1 && page.contains("<html lang=\"en\">"));
    for address in page.split("=\"/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(dist().join(address).is_file(), "{address}");
    }
}

#[tokio::test]
async fn objects_are_never_active_on_this_origin() {
    let world = World::new(Objects::new()).await;
    let session = world.session().await;
    let evil = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let kinds = [
        ("a.html", "text/html"),
        ("b.svg", "image/svg+xml"),
        ("c.xhtml", "application/xhtml+xml"),
        ("d.js", "text/javascript"),
        ("e.xml", "text/xml"),
        ("f.pdf", "application/pdf"),
        ("index.html", "text/html"),
    ];
    for (path, kind) in kinds {
        let uri = crate::world::place("object", &session, path);
        let headers = [("content-type", kind)];
        world.bytes("PUT", &uri, Some(&world.owner), &headers, evil).await.is(201);
    }
    world.commit(&session, "Put what could run").await;
    for (path, kind) in kinds {
        let uri = format!("{REPO}/object?path={}", escaped(path));
        let linked = world.get(&format!("{uri}&presign=true")).await.is(307);
        let link = linked.header("location").strip_prefix(PUBLIC_URL).expect("a link of ours");
        let owner = Some(&*world.owner);
        let ranged = [PAGE, ("range", "bytes=0-9")];
        for answer in [
            world.bytes("GET", &uri, owner, &[PAGE], "").await.is(200),
            world.bytes("GET", &uri, owner, &ranged, "").await.is(206),
            world.bytes("HEAD", &uri, owner, &[PAGE], "").await.is(200),
            get(&world, link, &[PAGE]).await.is(200),
        ] {
            let policy = "sandbox; default-src 'none'; frame-ancestors 'none'";
            assert_eq!(answer.header("content-security-policy"), policy, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert!(answer.header("content-disposition").starts_with("attachment;"), "{path}");
            assert_eq!(answer.header("content-type"), kind);
        }
    }
}
