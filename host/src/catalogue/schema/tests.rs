//! What a schema may be, what it says about payloads, and that neither can take the gateway down.

use serde_json::json;

use super::*;

fn compiled(schema: &Value) -> Schema {
    Schema::compile(&schema.to_string()).unwrap_or_else(|refusal| panic!("{schema}: {refusal:?}"))
}

/// The pointer and the reason of what is refused.
fn refused(schema: &Value) -> (String, String) {
    let refusal = Schema::compile(&schema.to_string()).map(drop).expect_err(&schema.to_string());
    (refusal.pointer, refusal.reason)
}

#[track_caller]
fn expect_refused(schema: &Value, pointer: &str, word: &str) {
    let (found, reason) = refused(schema);
    assert_eq!(found, pointer, "{reason}");
    assert!(reason.contains(word), "{reason}");
}

/// `$defs` `0` to `last`, each made of the place of the next.
fn chain(last: usize, link: impl Fn(Value) -> Value) -> Value {
    let defs: serde_json::Map<_, _> = (0..last)
        .map(|n| (n.to_string(), link(json!({ "$ref": format!("#/$defs/{}", n + 1) }))))
        .chain([(last.to_string(), json!({ "type": "string" }))])
        .collect();
    json!({ "$ref": "#/$defs/0", "$defs": defs })
}

#[test]
fn a_payload_that_does_not_fit_is_explained_by_its_place_and_without_its_values() {
    let schema = compiled(&json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": { "type": "string", "pattern": "^[a-z]+$" },
            "lines": { "type": "array", "items": { "$ref": "#/$defs/line" } },
            "kind": { "enum": ["a", "b"] }
        },
        "$defs": { "line": { "properties": { "a/b": { "minimum": 1 } } } }
    }));
    assert_eq!(schema.check(br#"{"id": "x", "lines": [{"a/b": 1}], "more": null}"#), Ok(()));
    for (json, pointer, word) in [
        ("[]", "", "object"),
        ("{}", "", "id"),
        (r#"{"id": 5}"#, "/id", "string"),
        (r#"{"id": "x", "lines": [{}, {"a/b": 0}]}"#, "/lines/1/a~1b", "minimum"),
        (r#"{"id": "x", "kind": "s3cret"}"#, "/kind", "\"a\""),
        (r#"{"id": "S3CRET"}"#, "/id", "^[a-z]+$"),
        (r#"{"id": "x", "n": 1e999}"#, "", "number out of range"),
    ] {
        let refusal = schema.check(json.as_bytes()).unwrap_err();
        assert_eq!(refusal.pointer, pointer, "{refusal:?}");
        assert!(refusal.reason.contains(word), "{json}: {refusal:?}");
        assert!(!refusal.reason.to_lowercase().contains("s3cret"), "{refusal:?}");
    }
}

#[test]
fn a_payload_too_large_to_explain_is_refused_all_the_same() {
    let branch = |kind: &str| json!({ "items": { "type": kind } });
    let schema = compiled(&json!({ "anyOf": [branch("string"), branch("object"), branch("null")] }));
    let payload = format!("[{}1]", "1,".repeat(100_000));
    assert!(!schema.is_quick(payload.len()));
    let refusal = schema.check(payload.as_bytes()).unwrap_err();
    assert_eq!(refusal.pointer, "");
    assert!(refusal.reason.contains("too large"), "{refusal:?}");
    assert!(schema.check(br#"[1]"#).unwrap_err().reason.contains("anyOf"));
    assert_eq!(schema.check(br#"["a"]"#), Ok(()));
}

#[test]
fn three_drafts_are_read_and_others_named() {
    for (uri, is_refused) in [
        ("https://json-schema.org/draft/2020-12/schema", true),
        ("https://json-schema.org/draft/2019-09/schema", false),
        ("http://json-schema.org/draft-07/schema#", false),
    ] {
        // `items` as an array says something up to 2019-09 and is refused since.
        let old = json!({ "$schema": uri, "items": [true, { "type": "number" }] });
        assert_eq!(Schema::compile(&old.to_string()).is_err(), is_refused, "{uri}");
        let schema = compiled(&json!({ "$schema": uri, "type": "object" }));
        assert!(schema.check(b"[]").is_err() && schema.check(b"{}").is_ok());
    }
    expect_refused(&json!({ "$schema": "http://json-schema.org/draft-04/schema#" }), "/$schema", "2020-12");
    expect_refused(&json!({ "$schema": "https://example.com/mine" }), "/$schema", "2020-12");
    compiled(&json!(true));
    compiled(&json!({ "$id": "https://example.com/a.json", "$ref": "#/$defs/a", "$defs": { "a": {} } }));
}

#[test]
fn what_is_no_schema_is_refused_by_its_place() {
    expect_refused(&json!({ "properties": { "a": { "type": "strin" } } }), "/properties/a/type", "not valid");
    expect_refused(&json!({ "multipleOf": 0 }), "/multipleOf", "not valid");
    expect_refused(&json!([]), "", "not valid");
    expect_refused(&json!({ "$defs": { "a": { "minLength": -1 } } }), "/$defs/a/minLength", "not valid");
}

#[test]
fn references_stay_inside() {
    for reference in [
        "https://example.com/schema.json",
        "http://127.0.0.1:1/schema.json#/a",
        "file:///etc/passwd",
        "other.json",
        "#anchor",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        let schema = json!({ "properties": { "a": { "$ref": reference } } });
        expect_refused(&schema, "/properties/a/$ref", "nothing is fetched");
    }
    expect_refused(&json!({ "$ref": "#/$defs/a" }), "/$ref", "nowhere");
    expect_refused(&json!({ "not": { "$ref": "#/$defs/a%20b" } }), "/not/$ref", "percent");
    expect_refused(&json!({ "items": { "$dynamicRef": "#a" } }), "/items/$dynamicRef", "$ref");
    expect_refused(&json!({ "items": { "$id": "https://example.com/" } }), "/items/$id", "root");
}

#[test]
fn a_schema_that_leads_back_to_itself_is_refused() {
    let back = "leads back";
    expect_refused(&json!({ "$ref": "#" }), "/$ref", back);
    expect_refused(&json!({ "properties": { "a": { "$ref": "#" } } }), "/properties/a/$ref", back);
    expect_refused(
        &json!({ "$ref": "#/$defs/a", "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/b" }] }, "b": { "items": { "$ref": "#/$defs/a" } } } }),
        "/$defs/b/items/$ref",
        back,
    );
    let twice = json!({ "allOf": [{ "items": { "$ref": "#" } }, { "items": { "$ref": "#" } }] });
    expect_refused(&twice, "/allOf/0/items/$ref", back);
}

#[test]
fn references_that_double_the_work_are_counted_before_anything_is_compiled() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let doubling = chain(20, |next| json!({ keyword: [next, next] }));
        let (_, reason) = refused(&doubling);
        assert!(reason.contains("4000 schemas"), "{keyword}: {reason}");
        compiled(&chain(8, |next| json!({ keyword: [next, next] })));
    }
    let (_, reason) = refused(&chain(20, |next| json!({ "properties": { "a": next, "b": next } })));
    assert!(reason.contains("4000 schemas"), "{reason}");
    // Each looks again at what the ones inside looked at, and they at theirs.
    let again = chain(20, |next| json!({ "anyOf": [next], "unevaluatedProperties": false }));
    let (_, reason) = refused(&again);
    assert!(reason.contains("4000 schemas"), "{reason}");
}

#[test]
fn depth_is_limited_with_references_written_out() {
    let (_, reason) = refused(&chain(2000, |next| next));
    assert!(reason.contains("inside each other"), "{reason}");
    let deep = |levels| (0..levels).fold(json!({}), |inner, _| json!({ "not": inner }));
    assert!(refused(&deep(64)).1.contains("inside each other"));
    let schema = compiled(&deep(50));
    assert_eq!(schema.check(b"1"), Ok(()));
    // Reached first from near, then from far.
    let far = (0..40).fold(json!({ "$ref": "#/$defs/0" }), |inner, _| json!({ "not": inner }));
    let mut schema = chain(20, |next| json!({ "items": next }));
    compiled(&schema);
    schema["$defs"]["far"] = far;
    schema["contains"] = json!({ "$ref": "#/$defs/far" });
    assert!(refused(&schema).1.contains("inside each other"));
}

#[test]
fn regular_expressions_are_linear_and_small() {
    for pattern in ["(a{1000}){1000}", "(?=a)b", r"(a)\1", "["] {
        let (pointer, _) = refused(&json!({ "properties": { "a": { "pattern": pattern } } }));
        assert_eq!(pointer, "/properties/a/pattern", "{pattern}");
        refused(&json!({ "patternProperties": { pattern: true } }));
    }
    // A backtracking engine takes longer than the sun has left.
    let schema = compiled(&json!({ "pattern": "^(a+)+$", "patternProperties": { "^(a|aa)+$": false } }));
    let text = format!("{}!", "a".repeat(50_000));
    assert_eq!(schema.check(format!("\"{text}\"").as_bytes()).unwrap_err().pointer, "");
    assert_eq!(schema.check(format!("{{\"{text}\": 1}}").as_bytes()), Ok(()));
    compiled(&json!({ "pattern": r"^[A-Za-z0-9_.-]{1,255}$" }));
    let many: Vec<_> = (0..101).map(|n| json!({ "pattern": format!("a{n}") })).collect();
    expect_refused(&json!({ "anyOf": many }), "/anyOf/100", "100 regular expressions");
}

#[test]
fn numbers_at_the_edges_are_checked() {
    let schema = compiled(&json!({ "multipleOf": 1e-300 }));
    for number in ["1e308", "-1e308", "0.1", "5e-324", "123456789012345678901234567890", "0"] {
        let _ = schema.check(number.as_bytes());
    }
    let schema = compiled(&json!({ "multipleOf": 0.01, "maximum": 1e300 }));
    assert_eq!(schema.check(b"19.99"), Ok(()));
    assert!(schema.check(b"19.999").is_err());
}

#[test]
fn an_array_made_to_collide_is_told_apart() {
    // The library's own set hashes all of these alike and compares each with each.
    fn nested(mut shape: u32) -> String {
        let mut text = "0".to_owned();
        for _ in 0..15 {
            text = if shape & 1 == 0 { format!("[{text}]") } else { format!("[[{text}],[]]") };
            shape >>= 1;
        }
        text
    }
    let schema = compiled(&json!({ "uniqueItems": true }));
    let all: Vec<_> = (0..20_000).map(nested).collect();
    assert_eq!(schema.check(format!("[{}]", all.join(",")).as_bytes()), Ok(()));
    let refusal = schema.check(b"[1, 2, 1.0]").unwrap_err();
    assert!(refusal.reason.contains("twice"), "{refusal:?}");
    assert_eq!(compiled(&json!({ "uniqueItems": false })).check(b"[1, 1]"), Ok(()));
}

#[test]
fn the_deepest_payload_fits_the_stack_of_a_thread() {
    let schema = (0..60).fold(json!({ "type": "number" }), |inner, _| json!({ "items": inner }));
    let schema = compiled(&schema);
    let payload = |inner: &str| format!("{}{inner}{}", "[".repeat(60), "]".repeat(60));
    let check = move || (schema.check(payload("1").as_bytes()), schema.check(payload("null").as_bytes()));
    let small = std::thread::Builder::new().stack_size(1024 * 1024).spawn(check).unwrap();
    let (fits, does_not) = small.join().unwrap();
    assert_eq!(fits, Ok(()));
    assert_eq!(does_not.unwrap_err().pointer, "/0".repeat(60));
}
