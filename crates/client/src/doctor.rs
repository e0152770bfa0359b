//! `tilde doctor`: what the command line relies on, looked at one after the other, and what to do
//! where something is wrong.

use http::Method;
use http::header::DATE;
use serde_json::{Value, json};

use crate::api::{Api, At, header, text};
use crate::command::Options;
use crate::error::{Error, Result};
use crate::screen::{Screen, shown};
use crate::settings::{Origin, Settings, Surroundings};
use crate::transport::collect;

/// Seconds that two clocks may differ.
const CLOCK_SECONDS_MAX: u64 = 60;
/// Permissions that nobody but the owner may have.
const OTHERS: u32 = 0o077;

/// What was found about one thing.
struct Finding {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    /// What to do, unless all is well.
    next: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warning,
    Bad,
}

impl Finding {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Good, detail: detail.into(), next: None }
    }

    fn warning(name: &'static str, detail: impl Into<String>, next: &str) -> Self {
        let next = Some(next.to_owned());
        Self { name, verdict: Verdict::Warning, detail: detail.into(), next }
    }

    fn bad(name: &'static str, error: Error) -> Self {
        Self { name, verdict: Verdict::Bad, detail: shown(&error.message), next: error.next }
    }

    fn to_json(&self) -> Value {
        json!({
            "check": self.name, "status": self.verdict.word(), "detail": self.detail,
            "next": self.next,
        })
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "problem",
        }
    }
}

pub(crate) async fn run(screen: Screen, around: &Surroundings, options: &Options) -> Result<()> {
    let mut findings = vec![config_file(around)];
    match around.settings(options) {
        Err(error) => findings.push(Finding::bad("settings", error)),
        Ok(settings) => look(around, &settings, &mut findings).await,
    }
    for finding in &findings {
        let Finding { name, verdict, detail, next } = finding;
        screen.result(&finding.to_json(), &format!("{:<8} {name:<12} {detail}", verdict.word()))?;
        if let Some(next) = next.as_ref().filter(|_| !screen.json) {
            screen.line(&format!("{:<22}{next}", ""))?;
        }
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        1 => Err(Error::failed("1 problem")),
        count => Err(Error::failed(format!("{count} problems"))),
    }
}

fn config_file(around: &Surroundings) -> Finding {
    let name = "config file";
    let file = match around.config_file() {
        Ok(file) => file,
        Err(error) => return Finding::bad(name, error),
    };
    let path = file.path().display();
    match (file.read(), file.mode()) {
        (Err(error), _) => Finding::bad(name, error),
        (Ok(None), _) => Finding::good(name, format!("{path} does not exist")),
        (Ok(Some(_)), Some(mode)) if mode & OTHERS != 0 => Finding::warning(
            name,
            format!("{path} can be used by others (mode {mode:o})"),
            &format!("chmod 600 {path}"),
        ),
        (Ok(Some(_)), _) => Finding::good(name, format!("{path}, for you alone")),
    }
}

async fn look(around: &Surroundings, settings: &Settings, findings: &mut Vec<Finding>) {
    let from = settings.endpoint_origin.describe();
    findings.push(endpoint(settings));
    let api = Api::anonymous(around, settings);
    let call = api.call_url(Method::GET, format!("{}/api/v1/openapi.json", settings.endpoint));
    match api.open(&call).await {
        Err(error) => {
            let next = match settings.endpoint_origin {
                Origin::Default => "start one with `tilde serve`, or set TILDE_ENDPOINT_URL",
                _ => "is it running? is the address right?",
            };
            let error = error.during(format!("{} (from {from})", settings.endpoint));
            findings.push(Finding::bad("server", error.next(next)));
            return;
        }
        Ok(answer) => {
            let date = header(&answer, &DATE);
            let document = collect(answer.into_body()).await.unwrap_or_default();
            let document: Value = serde_json::from_slice(&document).unwrap_or_default();
            findings.push(version(around, text(&document["info"], "version")));
            findings.push(clock(around, date.as_deref()));
        }
    }
    findings.push(key(around, settings).await);
}

fn endpoint(settings: &Settings) -> Finding {
    let url = &settings.endpoint;
    let detail = format!("{url} (from {})", settings.endpoint_origin.describe());
    let uri: Option<http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host == "localhost"
        || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    if url.starts_with("http://") && !is_local {
        let next = "anybody on the way can read the key; put TLS in front of the server";
        return Finding::warning("endpoint", format!("{detail}, without TLS"), next);
    }
    Finding::good("endpoint", detail)
}

fn version(around: &Surroundings, server: &str) -> Finding {
    let own = around.version;
    match server {
        "" => Finding::bad(
            "version",
            Error::failed("what answers is no Tilde server").next("check the endpoint"),
        ),
        same if same == own => Finding::good("version", format!("{own} here and there")),
        other => {
            let detail = format!("{own} here, {} there", shown(other));
            Finding::warning("version", detail, "use the same version of both where you can")
        }
    }
}

fn clock(around: &Surroundings, date: Option<&str>) -> Finding {
    let there = date.and_then(|date| httpdate::parse_http_date(date).ok());
    let there = there.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let Some(there) = there else {
        return Finding::good("clock", "the server does not tell its time");
    };
    let here = u64::try_from(around.clock.now().seconds()).unwrap_or_default();
    let apart = here.abs_diff(there.as_secs());
    if apart > CLOCK_SECONDS_MAX {
        let next = "set both clocks by NTP: links, logins and signatures for S3 depend on them";
        return Finding::warning("clock", format!("{apart} s apart from the server's"), next);
    }
    Finding::good("clock", "as the server's")
}

async fn key(around: &Surroundings, settings: &Settings) -> Finding {
    let asked = async {
        let api = Api::signed(around, settings)?;
        api.get(&At::new("/auth/me")).await
    };
    match asked.await {
        Err(error) => Finding::bad("key", error),
        Ok(me) => {
            let name = shown(text(&me["user"], "username"));
            let origin = settings.key().map_or("", |(_, origin)| origin.describe());
            Finding::good("key", format!("of {name} (from {origin})"))
        }
    }
}
