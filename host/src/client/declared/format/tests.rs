use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(format: Format, text: &str) -> Result<File, String> {
    format.read(text).map_err(|error| error.to_string())
}

#[test]
fn toml_and_yaml_say_the_same() {
    let toml = r#"
        tenants = ["acme"]
        [[topics]]
        topic = "orders/created"
        examples = [{ id = 2, at = 2024-03-15T14:30:00Z, "a/b" = [1.5, true] }]
        [[endpoints]]
        tenant = "acme"
        url = "https://a.example/hook"
        topics = ["orders/*"]
        rate_limit = 10
        [endpoints.headers]
        authorization = { env = "ACME_TOKEN" }
        [[endpoints.plugins]]
        plugin = "cel-filter"
        config = { expr = "data.total > 100.0" }
    "#;
    let yaml = r#"
tenants: [acme]
topics:
- topic: orders/created
  examples:
  - { id: 2, at: 2024-03-15T14:30:00Z, a/b: [1.5, true] }
endpoints:
- tenant: acme
  url: https://a.example/hook
  topics: ["orders/*"]
  rate_limit: 10
  headers:
    authorization: { env: ACME_TOKEN }
  plugins:
  - plugin: cel-filter
    config:
      expr: data.total > 100.0
"#;
    let file = read(Format::Toml, toml).unwrap();
    assert_eq!(file, read(Format::Yaml, yaml).unwrap());
    assert_eq!(file.topics.unwrap()[0]["examples"][0]["at"], "2024-03-15T14:30:00Z");
    assert_eq!(file.endpoints.unwrap()[0]["headers"], json!({ "authorization": { "env": "ACME_TOKEN" } }));
    let json = r#"{"endpoints": [{"url": "https://a"}]}"#;
    assert_eq!(read(Format::Yaml, json), read(Format::Toml, "[[endpoints]]\nurl = 'https://a'"));
}

#[test]
fn nothing_is_said_by_nothing() {
    for format in [Format::Toml, Format::Yaml] {
        for text in ["", "\n\n", "# only this\n"] {
            assert_eq!(read(format, text), Ok(File::default()), "{format:?} {text:?}");
        }
    }
}

#[test]
fn a_mistake_is_found_by_its_line_and_the_line_is_not_shown() {
    for (format, text, line, word) in [
        (Format::Toml, "tenants = []\n[[endpoint]]\nurl = 's3cret'", "line 2", "endpoint"),
        (Format::Toml, "a = [s3cret\n", "line 1", ""),
        (Format::Toml, "tenants = 'acme'", "line 1", "sequence"),
        (Format::Toml, "[[endpoints]]\nurl = 's3cret'\nurl = 'b'", "line 3", "duplicate"),
        (Format::Yaml, "tenants: []\nendpoint:\n- url: s3cret", "line 2", "endpoint"),
        (Format::Yaml, "endpoints:\n- {s3cret", "line", ""),
        (Format::Yaml, "endpoints:\n- url: s3cret\n  url: b", "line 3", "url"),
        (Format::Yaml, "- s3cret", "line 1", ""),
    ] {
        let error = read(format, text).expect_err(text);
        assert!(
            error.contains(line) && error.contains(word) && !error.contains("s3cret"),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn a_hostile_file_is_refused_and_soon() {
    let deep_toml = format!("endpoints = [{{ filter = {}{} }}]", "[".repeat(100_000), "]".repeat(100_000));
    let deep_yaml = format!("endpoints: [{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    let blocks: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let laughs = (1..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        let aliases = vec![format!("*a{}", n - 1); 10].join(",");
        format!("{text}a{n}: &a{n} [{aliases}]\n")
    });
    let tagged = "endpoints: !!python/object/apply:os.system [{}]";
    let two = "endpoints: []\n---\nendpoints: []\n";
    for (format, text) in [
        (Format::Toml, deep_toml.as_str()),
        (Format::Yaml, &deep_yaml),
        (Format::Yaml, &blocks),
        (Format::Yaml, &laughs),
        (Format::Yaml, tagged),
        (Format::Yaml, two),
        (Format::Toml, "a = \u{0}"),
        (Format::Yaml, "a: \u{0}"),
    ] {
        let error = read(format, text).expect_err(&text[..40.min(text.len())]);
        assert!(error.len() < 1_000, "{error}");
    }
}

#[test]
fn the_name_of_a_file_tells_its_language() {
    for (name, format) in [
        ("a.toml", Some(Format::Toml)),
        ("a.yaml", Some(Format::Yaml)),
        ("a.b.yml", Some(Format::Yaml)),
        ("a.json", Some(Format::Yaml)),
        ("a.txt", None),
        ("toml", None),
    ] {
        assert_eq!(Format::of(Path::new(name)), format, "{name}");
    }
}

#[test]
fn entries_are_written_in_their_order_and_for_people() {
    let endpoint = [
        ("tenant", json!("acme")),
        ("url", json!("https://a.example/hook")),
        ("topics", json!(["orders/*", "stock/*"])),
        ("metadata", json!({ "tier": "gold", "a b": "c" })),
        ("plugins", json!([{ "plugin": "cel-filter", "config": { "expr": "x".repeat(100) } }])),
        ("headers", json!({ "authorization": { "keep": true } })),
    ];
    let entry = Entry(endpoint.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let document = Document { endpoints: Some(vec![entry]), ..Document::default() };
    let long = "x".repeat(100);
    let toml = format!(
        r#"[[endpoints]]
tenant = "acme"
url = "https://a.example/hook"
topics = ["orders/*", "stock/*"]
metadata = {{ "a b" = "c", tier = "gold" }}
headers = {{ authorization = {{ keep = true }} }}

[[endpoints.plugins]]
plugin = "cel-filter"

[endpoints.plugins.config]
expr = "{long}"
"#
    );
    assert_eq!(Format::Toml.write(&document).unwrap(), toml);
    let yaml = Format::Yaml.write(&document).unwrap();
    assert!(
        yaml.starts_with("endpoints:\n- tenant: acme\n  url: https://a.example/hook\n  topics:\n"),
        "{yaml}"
    );
}

fn value() -> impl Strategy<Value = Value> {
    let text =
        prop_oneof!["[a-z ]{0,8}", ".{0,12}", "(?s).{0,6}", Just("yes".to_owned()), Just("1e3".to_owned())];
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |f| f.is_finite()).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("(?s).{0,6}", inner, 0..5)
                .prop_map(|object| Value::Object(object.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(values in prop::collection::btree_map("[a-z_]{1,8}", value(), 1..6)) {
        let entry = Entry(values.into_iter().collect());
        let document = Document { tenants: None, topics: Some(vec![]), endpoints: Some(vec![entry.clone(), entry]) };
        for format in [Format::Toml, Format::Yaml] {
            let text = format.write(&document).unwrap();
            prop_assert_eq!(format.read(&text).map_err(|e| format!("{e}\n{text}")), Ok(document.as_file()), "{}", text);
        }
    }
}
