//! Redaction of good, odd and hostile bodies.

use super::*;
use hookway_plugin::json;

fn redact(config: &str) -> Result<Redact, String> {
    Redact::new(serde_json::from_str(config).map_err(|error| error.to_string())?)
}

fn run(config: &str, body: &str) -> Result<Outcome, Error> {
    let event = Event::test("orders/created", json!(null)).with_body(body);
    redact(config).unwrap().transform(&event, &Endpoint::test())
}

#[track_caller]
fn assert_body(config: &str, body: &str, expected: &str) {
    let Ok(Outcome::Replace(request)) = run(config, body) else { panic!("not replaced") };
    assert_eq!(String::from_utf8(request.body).unwrap(), expected);
}

#[test]
fn a_value_is_masked_and_a_member_dropped() {
    assert_body(
        r#"{"mask": ["/data/card"], "drop": ["/data/email"]}"#,
        r#"{"event":"a","data":{"card":{"number":"4111"},"email":"a@b.example","id":7}}"#,
        r#"{"event":"a","data":{"card":"***","id":7}}"#,
    );
    assert_body(r#"{"mask": ["/a"], "with": {"was": null}}"#, r#"{"a":1}"#, r#"{"a":{"was": null}}"#);
}

#[test]
fn everything_else_stays_as_it_was_written() {
    assert_body(
        r#"{"drop": ["/x"]}"#,
        r#"{"z":123456789012345678901234567890,"x":1,"a":1.10e5, "\u0041b" : { "k" : [1,  2] },"u":"\u00e9\/"}"#,
        r#"{"z":123456789012345678901234567890,"a":1.10e5,"\u0041b":{ "k" : [1,  2] },"u":"\u00e9\/"}"#,
    );
}

#[test]
fn a_star_is_every_member_and_every_element() {
    let body = r#"{"items":[{"sku":1},{"n":2},3]}"#;
    assert_body(r#"{"mask": ["/items/*/sku"]}"#, body, r#"{"items":[{"sku":"***"},{"n":2},3]}"#);
    assert_body(r#"{"drop": ["/*/*/sku"]}"#, body, r#"{"items":[{},{"n":2},3]}"#);
}

#[test]
fn elements_are_named_by_number() {
    assert_body(r#"{"drop": ["/a/0"], "mask": ["/a/2"]}"#, r#"{"a":[1,2,3]}"#, r#"{"a":[2,"***"]}"#);
    assert_body(r#"{"drop": ["/*"]}"#, "[1,2]", "[]");
    assert_eq!(run(r#"{"drop": ["/a/00", "/a/-", "/a/3"]}"#, r#"{"a":[1,2,3]}"#), Ok(Outcome::Unchanged));
}

#[test]
fn names_with_slashes_tildes_and_escapes_are_found() {
    assert_body(r#"{"drop": ["/a~1b", "/m~0n"]}"#, r#"{"a/b":1,"m~n":2,"c":3}"#, r#"{"c":3}"#);
    assert_body(r#"{"mask": ["/secret"]}"#, r#"{"\u0073ecret":1}"#, r#"{"\u0073ecret":"***"}"#);
    assert_body(r#"{"drop": ["/"]}"#, r#"{"":1,"a":2}"#, r#"{"a":2}"#);
}

#[test]
fn drop_wins_over_mask_and_a_member_written_twice_goes_twice() {
    assert_body(r#"{"mask": ["/*"], "drop": ["/a"]}"#, r#"{"a":1,"b":2,"a":3}"#, r#"{"b":"***"}"#);
}

#[test]
fn a_pointer_that_finds_nothing_changes_nothing() {
    for body in [r#"{"a": 1}"#, "[]", "3", r#""text""#, "null", "{}"] {
        assert_eq!(
            run(r#"{"mask": ["/data/card"], "drop": ["/x/*/y"]}"#, body),
            Ok(Outcome::Unchanged),
            "{body}"
        );
    }
}

#[test]
fn a_body_that_is_not_json_is_invalid() {
    for body in ["", "<xml/>", "{", r#"{"a":1}{}"#, "[1,]", "{\"a\":\"\u{1}\"}"] {
        let result = run(r#"{"mask": ["/a"]}"#, body);
        assert!(matches!(result, Err(Error::Invalid(message)) if message.contains("not JSON")), "{body}");
    }
}

#[test]
fn a_body_nested_without_end_is_copied_without_recursion() {
    let deep = format!(r#"{{"a":1,"deep":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert_body(r#"{"mask": ["/a"]}"#, &deep, &deep.replace(r#""a":1"#, r#""a":"***""#));
}

#[test]
fn a_bad_config_is_refused_with_its_field() {
    let cases = [
        ("{}", "`mask` and `drop`"),
        (r#"{"mask": ["data/card"]}"#, "`mask[0]` is `data/card`"),
        (r#"{"mask": ["/ok"], "drop": ["/a", ""]}"#, "`drop[1]`"),
        (r#"{"mask": ["/a~b"]}"#, "`~0`"),
        (r#"{"masks": []}"#, "unknown field `masks`"),
    ];
    for (config, expected) in cases {
        let error = redact(config).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
    assert!(redact(&format!(r#"{{"drop": ["{}"]}}"#, "/a".repeat(65))).unwrap_err().contains("64 segments"));
}
