//! What author and operator say, and what comes of it.

use super::*;
use crate::plugins::Options;
use crate::plugins::inspect::Needed;
use crate::plugins::manifest::Manifest;

const SECRET: &str = "hunter2-hunter2";

fn grant(manifest: &str, configuration: &str) -> Result<Granted, String> {
    let options: Options = toml::from_str(configuration).map_err(|error| error.message().to_owned())?;
    let manifest = Manifest::parse("enrich.toml", manifest.as_bytes(), &options).unwrap();
    let tasks = Shutdown::new();
    let operator = Operator::new(&options.grants, Means::default(), Clock::system(), tasks);
    let operator = operator.map_err(|error| error.to_string())?;
    operator.grant(&"enrich".parse().unwrap(), &manifest.grants).map_err(|error| error.to_string())
}

fn refused(manifest: &str, configuration: &str) -> String {
    grant(manifest, configuration).err().expect("it is refused")
}

#[test]
fn what_both_say_is_granted_with_the_limits_of_the_manifest() {
    let manifest = r#"
        [grants]
        env = ["REGION"]
        http = { hosts = ["api.example.com:443"], max_requests = 1 }
        kv = { max_kb = 64, ttl_s = 60 }
    "#;
    let configuration = r#"
        [grants.enrich]
        env = { REGION = "eu" }
        http = { hosts = ["api.example.com"], timeout = "5s" }
        kv = {}
        [grants.other]
        kv = { max_bytes = 1 }
    "#;
    let granted = grant(manifest, configuration).unwrap();
    assert_eq!(granted.env().collect::<Vec<_>>(), [("REGION", "eu")]);
    let status = granted.status().unwrap();
    assert_eq!(status.env, ["REGION"]);
    let http = status.http.unwrap();
    assert_eq!(
        (http.hosts, http.timeout_ms, http.max_requests),
        (vec!["api.example.com:443".to_owned()], 2_000, 1)
    );
    assert_eq!(status.kv, Some(KvStatus { max_bytes: 64 << 10, ttl_s: 60 }));
    for grant in [Grant::Http, Grant::Kv] {
        granted.check_import("x", grant).unwrap();
    }
}

#[test]
fn without_a_word_of_anybody_there_is_nothing() {
    let granted = grant("", "").unwrap();
    assert_eq!((granted.env().count(), granted.status()), (0, None));
    let Needed { import, grant } = Needed { import: "wasi:http/types@0.2.6".into(), grant: Grant::Http };
    let error = granted.check_import(&import, grant).unwrap_err().to_string();
    let expected = "the component imports `wasi:http/types@0.2.6` and has no grant for it: ask for `grants.http` in enrich.toml, \
                    and allow `plugins.grants.enrich.http` in the configuration";
    assert_eq!(error, expected);
}

#[test]
fn what_only_one_says_is_refused_with_the_file_and_the_setting() {
    let http = r#"grants.http.hosts = ["a.example.com", "b.example.com:8443"]"#;
    let one_host = r#"grants.enrich.http.hosts = ["a.example.com"]"#;
    for (manifest, configuration, says) in [
        (
            "grants.env = [\"REGION\"]",
            "",
            "enrich.toml asks for the variable `REGION` (`grants.env`), and the operator does not allow it: set \
             `plugins.grants.enrich.env.REGION` in the configuration, or take it out of enrich.toml",
        ),
        (
            "",
            "grants.enrich.env.REGION = \"eu\"",
            "the configuration allows the variable `REGION` (`plugins.grants.enrich.env.REGION`), and the plugin does not ask for \
             it: add it to `grants.env` in enrich.toml, or take the setting away",
        ),
        (http, "", "`plugins.grants.enrich.http`"),
        (http, one_host, "asks for requests to `b.example.com:8443` (`grants.http.hosts`)"),
        ("", one_host, "add it to `grants.http` in enrich.toml"),
        (
            "grants.http.hosts = [\"a.example.com\"]",
            r#"grants.enrich.http.hosts = ["a.example.com", "a.example.com:8443"]"#,
            "allows requests to `a.example.com:8443` (`plugins.grants.enrich.http.hosts`)",
        ),
        ("grants.kv = {}", "", "`plugins.grants.enrich.kv`"),
        ("", "grants.enrich.kv = {}", "add it to `grants.kv` in enrich.toml"),
    ] {
        let sentence = refused(manifest, configuration);
        assert!(sentence.contains(says), "{sentence}");
    }
}

#[test]
fn a_manifest_that_asks_for_more_than_it_may_is_refused() {
    let consent = "grants.enrich = { http = { hosts = [\"a.example.com\"] }, kv = { max_bytes = 1024 } }";
    let http = |limit: &str| {
        format!("grants.http = {{ hosts = [\"a.example.com\"], {limit} }}\ngrants.kv = {{ max_kb = 1 }}")
    };
    assert!(grant(&http("timeout_ms = 2000"), consent).is_ok());
    for (limit, says) in [
        (
            "timeout_ms = 2001",
            "`grants.http.timeout_ms` in enrich.toml is more than the operator allows, which is 2000",
        ),
        ("max_requests = 3", "raise `plugins.grants.enrich.http.max_requests`"),
        ("max_response_kb = 257", "which is 256"),
    ] {
        let sentence = refused(&http(limit), consent);
        assert!(sentence.contains(says), "{sentence}");
    }
    let kv = refused("grants.kv = { max_kb = 2 }", "grants.enrich.kv.max_bytes = 1024");
    assert!(kv.contains("`grants.kv.max_kb`") && kv.contains("which is 1:"), "{kv}");
}

#[test]
fn a_value_may_stand_in_a_file_and_is_shown_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let configuration = format!("grants.enrich.env.TOKEN.file = {file:?}");
    let granted = grant("grants.env = [\"TOKEN\"]", &configuration).unwrap();
    assert_eq!(granted.env().collect::<Vec<_>>(), [("TOKEN", SECRET)]);
    assert!(!format!("{:?}", granted.status()).contains(SECRET));
    std::fs::remove_file(&file).unwrap();
    let missing = refused("grants.env = [\"TOKEN\"]", &configuration);
    assert!(missing.starts_with("`plugins.grants.enrich.env.TOKEN` names "), "{missing}");
    let options: Options = toml::from_str(&format!("grants.enrich.env.TOKEN = \"{SECRET}\"")).unwrap();
    assert!(format!("{options:?}").contains("[REDACTED]") && !format!("{options:?}").contains(SECRET));
    assert!(!toml::to_string(&options).unwrap().contains(SECRET));
}

#[test]
fn a_wrong_setting_is_a_sentence_that_does_not_repeat_the_value() {
    for (configuration, says) in [
        ("grants.enrich.env.TOKEN = 123454321", "a variable has a text as its value"),
        ("grants.enrich.env.TOKEN = { path = \"123454321\" }", "a variable has a text as its value"),
        ("grants.enrich.env.'123454321-' = \"x\"", "a variable is named by"),
        ("grants.enrich.http.hosts = [\"https://a\"]", "a host is written as"),
        ("grants.enrich.files = []", "unknown field `files`"),
        ("grants.'../x'.kv = {}", "a plugin is named by"),
    ] {
        let sentence = refused("", configuration);
        assert!(sentence.contains(says), "{configuration}: {sentence}");
        assert!(!sentence.contains("123454321") || configuration.contains("'123"), "{sentence}");
    }
}
