//! The connector test names the step that failed.

use serde_json::json;
use sources::{ProbeError, Step};
use testkit::SystemClock;
use testkit::s3::{Fault, HostileS3, Objects, Op, Rule};

use super::{config, opener, uri};

async fn probe(endpoint: &str, changes: serde_json::Value) -> Result<(), ProbeError> {
    opener(SystemClock, Vec::new()).probe(&uri(), config(endpoint, changes)).await
}

fn status(code: u16, s3_code: &'static str) -> Fault {
    Fault::Status { code, s3_code, headers: Vec::new() }
}

#[tokio::test]
async fn a_good_connector_passes_and_reads_one_object() {
    let big = vec![7; 1 << 20];
    let server = HostileS3::start(Objects::from([("a", big), ("b", vec![])])).await;
    probe(&server.endpoint(), json!({})).await.expect("a good connector");
    let stats = server.stats();
    assert_eq!((stats.count(Op::List), stats.count(Op::Get)), (1, 1));
    let get = stats.seen.iter().find(|seen| seen.op == Op::Get).expect("a GET");
    assert_eq!(get.headers["range"], "bytes=0-65535");
}

#[tokio::test]
async fn an_empty_bucket_passes() {
    let server = HostileS3::start(Objects::from([("a", "1")])).await;
    server.remove("a");
    probe(&server.endpoint(), json!({})).await.expect("nothing to read");
}

#[tokio::test]
async fn every_failure_has_its_step() {
    for (op, fault, step) in [
        (Op::List, Fault::ResetBeforeHeaders, Step::Reach),
        (Op::List, Fault::StallBeforeHeaders, Step::Reach),
        (Op::List, Fault::Raw(b"SSH-2.0\r\n".to_vec()), Step::Reach),
        (Op::List, status(307, ""), Step::Reach),
        (Op::List, status(403, "InvalidAccessKeyId"), Step::Authenticate),
        (Op::List, status(403, "SignatureDoesNotMatch"), Step::Authenticate),
        (Op::List, Fault::RequestTimeTooSkewed, Step::Authenticate),
        (Op::List, status(301, "PermanentRedirect"), Step::Authenticate),
        (Op::List, status(403, "AccessDenied"), Step::List),
        (Op::List, status(404, "NoSuchBucket"), Step::List),
        (Op::List, status(503, "SlowDown"), Step::List),
        (Op::List, Fault::Body(b"pong".to_vec()), Step::List),
        (Op::Get, status(403, "AccessDenied"), Step::Read),
        (Op::Get, Fault::StallBeforeHeaders, Step::Read),
        (Op::Get, Fault::CloseAfter(0), Step::Read),
    ] {
        let server = HostileS3::start(Objects::from([("a", "1")])).await;
        server.rule(Rule::on(op, fault));
        let error = probe(&server.endpoint(), json!({})).await.expect_err("a bad connector");
        assert_eq!(error.step, step, "{error}");
        assert!(error.to_string().starts_with(&format!("step {step} failed: ")), "{error}");
    }
    let closed = probe("http://127.0.0.1:1", json!({})).await.expect_err("nobody listens");
    assert_eq!(closed.step, Step::Reach);
}
