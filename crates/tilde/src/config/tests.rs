//! Precedence, errors and defaults of the configuration.

use super::*;

fn load(yaml: &str, env: &[(&str, &str)], flags: &[Flag]) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    std::fs::write(file.path(), yaml).expect("written");
    let mut env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    env.entry("HOME".into()).or_insert("/home/ann".into());
    Config::load(Some(file.path()), &env, flags)
        .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
}

fn flag(value: &str) -> Flag {
    Flag { name: "--listen", key: "listen", value: value.into() }
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = load("", &[], &[]).expect("valid");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8765");
    assert_eq!(config.data_dir(), Path::new("/home/ann/.local/share/tilde"));
    assert_eq!((config.imports_concurrency, config.imports_jobs), (10, 4));
    assert_eq!(config.imports_concurrency, model::limits::TRANSFERS_DEFAULT);
    assert_eq!(config.imports_verify, VerifyMode::Auto);
    assert_eq!(config.private_networks, PrivateNetworks::Auto);
    assert!(config.encryption_keys.is_empty() && config.metrics_listen.is_none());
    let config = load("", &[("XDG_DATA_HOME", "/srv")], &[]).expect("valid");
    assert_eq!(config.data_dir(), Path::new("/srv/tilde"));
}

#[test]
fn flags_win_over_environment_over_file() {
    let yaml = "listen: 127.0.0.1:1\nimports: {concurrency: 3, jobs: 2}\nlog:\n";
    let env =
        [("TILDE_LISTEN", "127.0.0.1:2"), ("TILDE__IMPORTS__JOBS", "5"), ("TILDE_OTHER", "x")];
    let config = load(yaml, &env, &[]).expect("valid");
    assert_eq!((config.imports_concurrency, config.imports_jobs), (3, 5));
    assert_eq!(config.listen.port(), 2);
    assert_eq!(load(yaml, &env, &[flag("127.0.0.1:3")]).expect("valid").listen.port(), 3);
}

#[test]
fn lists_come_as_yaml_and_with_commas() {
    let networks = "10.0.0.0/8,fd00::/8, 192.168.1.7";
    let by_env = load("", &[("TILDE__SOURCES__PRIVATE_NETWORKS", networks)], &[]).expect("valid");
    let yaml = format!(
        "sources: {{private_networks: ['{}']}}",
        networks.replace(", ", ",").replace(',', "', '")
    );
    let by_file = load(&yaml, &[], &[]).expect("valid");
    assert_eq!(by_env.private_networks, by_file.private_networks);
    let Private::Cidrs(networks) = by_env.private() else { panic!("a list") };
    assert_eq!(networks.len(), 3);
}

#[test]
fn only_this_machine_is_a_trusted_proxy_until_others_are_named() {
    let trusts = |yaml: &str, address: &str| {
        let address = address.parse().expect("an address");
        let config = load(yaml, &[], &[]).expect("valid");
        config.trusted_proxies.iter().any(|range| range.contains(address))
    };
    for address in ["127.0.0.1", "::1"] {
        assert!(trusts("", address), "{address}");
        assert!(!trusts("auth: {trusted_proxies: []}", address), "{address}");
    }
    assert!(!trusts("", "10.0.0.7"));
    let named = "auth: {trusted_proxies: [10.0.0.0/24]}";
    assert!(trusts(named, "10.0.0.7") && !trusts(named, "127.0.0.1"));
    assert!(load("auth: {trusted_proxies: [proxy]}", &[], &[]).is_err());
}

#[test]
fn errors_say_where_which_and_what_is_expected() {
    let numbers = "FILE: `imports.concurrency` must be a number from 1 to 256";
    let url = "FILE: `public_url` must be a URL like https://data.example.com, without path, query \
               or user";
    let level = "FILE: `log.level` must be error, warn, info, debug or trace, or a filter like \
                 info,engine=debug";
    let networks = "FILE: `sources.private_networks` must be auto, allow, deny, or a list of \
                    networks like [10.0.0.0/8, fd00::/8]";
    let keys = "FILE: `auth.encryption.keys` must be a list of keys, each 32 random bytes in \
                base64 or {id: NAME, key: BASE64}";
    for (yaml, expected, why) in [
        ("imports: {concurrency: 0}", numbers, "found `0`"),
        ("imports: {concurrency: 257}", numbers, "found `257`"),
        ("imports: {concurrency: ten}", numbers, "found `ten`"),
        ("log: {level: 'a=b=c'}", level, "found `a=b=c`"),
        ("log: {level: loud}", level, "found `loud`"),
        ("log: {level: 'info,engine'}", level, "found `info,engine`"),
        ("public_url: https://u@h", url, "found `https://u@h`"),
        ("public_url: https://h/x", url, "found `https://h/x`"),
        ("sources: {private_networks: [10.0.0.0/33]}", networks, "found `10.0.0.0/33`"),
        ("auth: {encryption: {keys: [abcd]}}", keys, "key 1: it has 3 bytes, not 32"),
    ] {
        let expected = format!("{expected}; {why}");
        assert_eq!(load(yaml, &[], &[]).err(), Some(expected), "{yaml}");
    }
    let expected = "--listen: `listen` must be an IP address and a port, like 0.0.0.0:8765 or \
                    [::1]:8765; found `here`";
    assert_eq!(load("", &[], &[flag("here")]).err().as_deref(), Some(expected));
}

#[test]
fn unknown_names_are_refused_and_the_meant_one_is_named() {
    for (yaml, expected) in [
        ("listn: 1", "unknown option `listn`; is `listen` meant?"),
        (
            "imports: {concurency: 1}",
            "unknown option `imports.concurency`; is `imports.concurrency` meant?",
        ),
        ("concurrency: 1", "unknown option `concurrency`; is `imports.concurrency` meant?"),
        ("zzz: 1", "unknown option `zzz`"),
        ("imports: 10", "`imports` must be a group of options, like `imports.concurrency`"),
        ("- a", "expected options, like `listen: ADDRESS`"),
    ] {
        assert_eq!(load(yaml, &[], &[]).err(), Some(format!("FILE: {expected}")), "{yaml}");
    }
    let expected = "`tls.cert_file` and `tls.key_file` must be set together";
    assert_eq!(load("tls: {cert_file: a}", &[], &[]).err().as_deref(), Some(expected));
    let env = [("TILDE__IMPORTS__JOBZ", "1")];
    let expected = "environment variable TILDE__IMPORTS__JOBZ: unknown option `imports.jobz`; \
                    is `imports.jobs` meant?";
    assert_eq!(load("", &env, &[]).err().as_deref(), Some(expected));
    let twice = load("listen: 1\nlisten: 2", &[], &[]).err().expect("refused");
    assert!(twice.contains("duplicate") && !twice.contains("Options"), "{twice}");
    let broken = load("auth: {encryption: {keys: [sesame}", &[], &[]).err().expect("refused");
    assert!(broken.starts_with("FILE: not valid YAML: ") && !broken.contains("sesame"), "{broken}");
}

#[test]
fn private_networks_are_closed_when_others_can_reach_the_server() {
    for (yaml, shared) in [
        ("", false),
        ("listen: '[::1]:1'", false),
        ("listen: 0.0.0.0:1", true),
        ("public_url: http://localhost:1", false),
        ("public_url: http://[::1]:1", false),
        ("public_url: https://data.example.com", true),
    ] {
        let config = load(yaml, &[], &[]).expect("valid");
        assert_eq!(config.private() == Private::Deny, shared, "{yaml}");
        let fixed = [("TILDE__SOURCES__PRIVATE_NETWORKS", "allow")];
        assert_eq!(load(yaml, &fixed, &[]).expect("valid").private(), Private::Allow, "{yaml}");
    }
}

#[test]
fn collections_have_the_documented_defaults_and_may_be_immediate() {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let collections = load("", &[], &[]).expect("valid").collections();
    let defaults = CollectSettings { interval: hours(24), grace: hours(24), trash: hours(7 * 24) };
    assert_eq!(collections, defaults);
    assert_eq!(collections.interval, hours(model::limits::COLLECT_INTERVAL_HOURS_DEFAULT));
    let grace_hours = model::limits::COLLECT_GRACE_HOURS_DEFAULT as u64;
    let trash_hours = 24 * model::limits::TRASH_DAYS_DEFAULT as u64;
    assert_eq!((collections.grace, collections.trash), (hours(grace_hours), hours(trash_hours)));
    let yaml = "gc: {interval_hours: 0, grace_hours: 0, trash_days: 0}";
    let at_once = CollectSettings { interval: hours(0), grace: hours(0), trash: hours(0) };
    assert_eq!(load(yaml, &[], &[]).expect("valid").collections(), at_once);
    let most = load("gc: {trash_days: 3650}", &[], &[]).expect("valid").collections();
    assert_eq!(most.trash, hours(87_600));
    assert!(load("gc: {trash_days: 3651}", &[], &[]).is_err());
}

#[test]
fn the_place_of_gcs_tokens_is_google_another_server_or_nowhere() {
    let token = |yaml: &str| load(yaml, &[], &[]).map(|config| config.gcs_token_endpoint);
    assert_eq!(token(""), Ok(TokenEndpoint::Google));
    assert_eq!(token("sources: {gcs: {token_endpoint: none}}"), Ok(TokenEndpoint::None));
    let url = "http://127.0.0.1:4443";
    let at = TokenEndpoint::At(url.parse().expect("an endpoint"));
    let yaml = format!("sources: {{gcs: {{endpoint: '{url}', token_endpoint: '{url}'}}}}");
    assert_eq!(token(&yaml), Ok(at));
    assert!(load(&yaml, &[], &[]).expect("valid").gcs_endpoint.is_some());
    let refused = token("sources: {gcs: {token_endpoint: google}}").expect_err("no endpoint");
    assert!(refused.contains("found `google`"), "{refused}");
}
