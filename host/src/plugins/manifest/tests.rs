//! Manifests that are right, wrong and hostile.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse("p.toml", text.as_bytes(), &Options::default())
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

const WHOLE: &str = r#"
topics = ["orders/*"]
on_failure = "closed"
isolation = "event"
config = { field = "/x", n = 1.5, deep = [{ a = true }] }
[reuse]
max_calls = 1000
idle_s = 60
[limits]
deadline_ms = 50
memory_mb = 64
output_kb = 1024
[grants]
env = ["REGION"]
http = { hosts = ["API.example.com", "[::1]:8443"], timeout_ms = 1000, max_response_kb = 1, max_requests = 3 }
kv = { max_kb = 2, ttl_s = 60 }
[[samples]]
name = "a large order"
event = { topic = "orders/created", data = { total = 150 }, tenant = "acme", event_id = "e-1", timestamp = 2026-01-31T12:00:00Z }
config = '{"field": null}'
expect = "deliver"
[[samples]]
event = { topic = "orders/created", data = "null", timestamp = "2026-01-31T12:00:00Z" }
expect = { body = { text = "hello" } }
[[samples]]
event = { topic = "orders/created", data = "1" }
expect = { body = "hello" }
[[samples]]
patterns = ["orders/+"]
accepts = ["orders/created"]
rejects = ["orders", "orders/a/b"]
"#;

#[test]
fn every_key_is_read() {
    let manifest = parse(WHOLE).unwrap();
    assert_eq!(manifest.topics.len(), 1);
    assert_eq!((manifest.on_failure, manifest.isolation), (Some(OnFailure::Closed), Isolation::Event));
    assert_eq!(&*manifest.config.as_ref().unwrap().text(), r#"{"deep":[{"a":true}],"field":"/x","n":1.5}"#);
    assert_eq!(manifest.reuse, Reuse { max_calls: Some(1000), idle: Some(Duration::from_mins(1)) });
    let limits = Limits {
        deadline: Some(Duration::from_millis(50)),
        memory_bytes: Some(64 << 20),
        output_bytes: Some(1 << 20),
    };
    assert_eq!(manifest.limits, limits);
    let http = manifest.grants.http.clone().unwrap();
    let hosts: Vec<_> = http.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["api.example.com:443", "[::1]:8443"]);
    assert_eq!(
        (http.timeout(), http.max_response_bytes(), http.max_requests()),
        (Duration::from_secs(1), 1024, 3)
    );
    let kv = manifest.grants.kv.clone().unwrap();
    assert_eq!((kv.max_bytes(), kv.ttl()), (2048, Duration::from_mins(1)));
    assert_eq!(manifest.grants.env.iter().map(EnvName::as_str).collect::<Vec<_>>(), ["REGION"]);
}

#[test]
fn every_key_of_a_sample_is_read() {
    let manifest = parse(WHOLE).unwrap();
    let asked: Vec<_> = manifest.samples.iter().map(|sample| &sample.asked).collect();
    let [
        Asked::Event { event: first, config, expect: Expected::Deliver },
        Asked::Event { event: second, expect: Expected::Body(json), config: None },
        Asked::Event { expect: Expected::Body(text), .. },
        Asked::Topics { patterns, accepts, rejects },
    ] = &asked[..]
    else {
        panic!("{asked:?}")
    };
    assert_eq!(manifest.samples[0].name.as_deref(), Some("a large order"));
    assert_eq!(&*first.data.text(), r#"{"total":150}"#);
    assert_eq!(&*config.as_ref().unwrap().text(), r#"{"field": null}"#);
    assert_eq!((&*second.data.text(), first.timestamp), ("null", second.timestamp));
    assert_eq!(json, &ExpectedBody::Json(serde_json::json!({"text": "hello"})));
    assert_eq!(text, &ExpectedBody::Text("hello".into()));
    assert_eq!((patterns.len(), accepts[0].as_str(), rejects.len()), (1, "orders/created", 2));
}

#[test]
fn nothing_is_needed() {
    let manifest = parse("").unwrap();
    assert_eq!(manifest, Manifest::default());
    assert!(manifest.covers(&"a".parse().unwrap()) && manifest.grants.is_empty());
    let manifest = parse("topics = [\"orders/*\"]\nconfig = { a = 1 }").unwrap();
    assert!(
        manifest.covers(&"orders/created".parse().unwrap()) && !manifest.covers(&"users/a".parse().unwrap())
    );
    let grants = parse("[grants]\nhttp = { hosts = [\"a.example\"] }\nkv = {}").unwrap().grants;
    let http = grants.http.unwrap();
    assert_eq!(
        (http.timeout(), http.max_response_bytes(), http.max_requests()),
        (Duration::from_secs(2), 256 << 10, 2)
    );
    assert_eq!(
        (grants.kv.clone().unwrap().max_bytes(), grants.kv.unwrap().ttl()),
        (1 << 20, Duration::from_hours(24))
    );
}

#[test]
fn every_mistake_names_the_file_the_line_and_the_key_and_says_what_would_be_right() {
    for (text, place, about) in [
        ("\ntopcs = []", "line 2, `topcs`", "expected one of `topics`"),
        (
            "[limits]\ndedline_ms = 5",
            "line 2, `limits.dedline_ms`",
            "expected one of `deadline_ms`, `memory_mb`",
        ),
        ("[limits]\n\ndeadline_ms = 0", "line 3, `limits.deadline_ms`", "a whole number from 1 to 60000"),
        ("[limits]\ndeadline_ms = -1", "line 2, `limits.deadline_ms`", "a whole number from 1 to 60000"),
        (
            "[limits]\ndeadline_ms = \"50ms\"",
            "line 2, `limits.deadline_ms`",
            "a whole number from 1 to 60000",
        ),
        ("[limits]\nmemory_mb = 9223372036854775807", "line 2, `limits.memory_mb`", "from 1 to 4096"),
        ("[reuse]\nmax_calls = 1.5", "line 2, `reuse.max_calls`", "a whole number from 1 to 1000000"),
        ("on_failure = \"explode\"", "line 1, `on_failure`", "expected one of `hold`, `open`, `closed`"),
        ("isolation = \"none\"", "line 1, `isolation`", "expected `tenant` or `event`"),
        ("topics = [\n\"a\",\n\"a//b\"]", "line 3, `topics[1]`", "segment"),
        ("config = { a = 1979-05-27 }", "line 1, `config`", "write \"1979-05-27\" in quotes"),
        ("config = { a = nan }", "line 1, `config`", "leave it out"),
        ("config = \"text\"", "line 1, `config`", "a text that holds JSON"),
        ("grants.env = [\"A-B\"]", "line 1, `grants.env[0]`", "a variable is named by"),
        ("grants.files = []", "line 1, `grants.files`", "expected one of `env`, `http`, `kv`"),
        ("grants.http = { hosts = [] }", "line 1, `grants.http.hosts`", "at least one host"),
        ("grants.http = {}", "line 1, `grants.http`", "missing field `hosts`"),
        ("grants.http = { hosts = [\"*.example.com\"] }", "line 1, `grants.http.hosts[0]`", "each by itself"),
        ("[[samples]]\nexpect = \"drop\"", "line 1, `samples[0]`", "missing field `event`"),
        ("[[samples]]\nevent = { topic = \"a b\", data = {} }", "line 2, `samples[0].event.topic`", "topic"),
        (
            "[[samples]]\nevent = { topic = \"a\", data = {} }\nexpect = \"vanish\"",
            "line 3, `samples[0].expect`",
            "expected one of `deliver`, `drop`, `unchanged`, `body`",
        ),
        (
            "[[samples]]\nevent = { topic = \"a\", data = {} }\npatterns = []\nexpect = \"drop\"",
            "line 1, `samples[0]`",
            "not both",
        ),
        ("[[samples]]\npatterns = [\"+\"]", "line 1, `samples[0]`", "at least one topic"),
        (
            "[[samples]]\npatterns = [\"+\"]\naccepts = [\"a\"]\nconfig = {}",
            "line 1, `samples[0]`",
            "the `config` of the manifest",
        ),
        ("[[samples]]\npatterns = [\"+\"]\naccepts = [\"a b\"]", "line 3, `samples[0].accepts[0]`", "topic"),
        ("a = 1\na = 2", "line 2", "duplicate key"),
        ("\n[limits\n", "line 2", "]"),
        ("topics = [", "line 1", "]"),
    ] {
        let sentence = refused(text);
        assert!(sentence.starts_with(&format!("p.toml, {place}")), "{text:?}: {sentence}");
        assert!(sentence.contains(about), "{text:?}: {sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
    }
}

#[test]
fn limits_stay_under_the_ceilings_of_the_operator() {
    for (key, most, setting) in [
        ("deadline_ms", 1_000, "max_deadline"),
        ("memory_mb", 256, "max_memory_bytes"),
        ("output_kb", 4_096, "max_output_bytes"),
    ] {
        assert!(parse(&format!("[limits]\n{key} = {most}")).is_ok());
        let sentence = refused(&format!("[limits]\n{key} = {}", most + 1));
        let expected = format!(
            "p.toml, line 2, `limits.{key}`: the operator allows at most {most}: ask for less, or raise the setting `plugins.{setting}`"
        );
        assert_eq!(sentence, expected);
    }
    let generous = Options { deadline: Duration::from_secs(5), ..Options::default() };
    assert!(Manifest::parse("p.toml", b"limits.deadline_ms = 5000", &generous).is_ok());
}

#[test]
fn what_is_too_big_too_deep_or_no_text_is_refused() {
    let bytes = usize::try_from(MAX_BYTES).unwrap();
    assert!(parse(&"#".repeat(bytes)).is_ok());
    assert!(refused(&"#".repeat(bytes + 1)).starts_with("p.toml is larger than 256 KiB"));
    assert!(refused(&format!("config = {{ a = '{}' }}", "x".repeat(65_536))).contains("at most 65536 bytes"));
    let not_text = Manifest::parse("p.toml", b"# a\n\xff", &Options::default()).unwrap_err().to_string();
    assert_eq!(not_text, "p.toml, line 2: this is not UTF-8; write the file as UTF-8 text");
    for deep in [
        format!("config = {}{}", "[".repeat(50_000), "]".repeat(50_000)),
        format!("{} = 1", vec!["a"; 50_000].join(".")),
        format!("config = '{}{}'", "[".repeat(20_000), "]".repeat(20_000)),
    ] {
        assert!(refused(&deep).contains("recurs"), "{}", refused(&deep));
    }
    let many = "[[samples]]\nevent = { topic = \"a\", data = \"1\" }\nexpect = \"drop\"\n".repeat(65);
    assert!(refused(&many).contains("at most 64 samples"), "{}", refused(&many));
    let topics = format!("topics = [{}]", "\"a\",".repeat(101));
    assert!(refused(&topics).contains("at most 100 topics"));
    let flood = refused(&format!("\"{}\" = 1", "\\u001b[31m".repeat(10_000)));
    assert!(flood.len() < 4_096 && !flood.contains('\u{1b}'), "{flood}");
}

/// Pieces of a manifest, so that random ones are nearly right.
fn piece() -> impl Strategy<Value = String> {
    let pieces: Vec<_> = WHOLE.split_inclusive([' ', '\n', '[', ']', '{', '}', '=', ',']).collect();
    prop_oneof![4 => prop::sample::select(pieces).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #[test]
    fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Manifest::parse("p.toml", &bytes, &Options::default());
    }

    #[test]
    fn no_nearly_right_input_panics_and_each_refusal_is_one_line(pieces in prop::collection::vec(piece(), 0..60)) {
        if let Err(error) = parse(&pieces.concat()) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_manifest_with_one_byte_changed_is_read_or_refused(at in 0..WHOLE.len(), byte: u8) {
        let mut bytes = WHOLE.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Manifest::parse("p.toml", &bytes, &Options::default());
    }
}
