//! Programs over good, odd and hostile bodies.

use super::*;
use hookway_plugin::json;

fn run_on(program: &str, body: &str) -> Result<Outcome, Error> {
    let plugin = JqTransform::new(Config { program: program.into() }).unwrap();
    plugin.transform(&Event::test("orders/created", json!(null)).with_body(body), &Endpoint::test())
}

#[track_caller]
fn assert_body(program: &str, body: &str, expected: &str) {
    match run_on(program, body) {
        Ok(Outcome::Replace(request)) => assert_eq!(String::from_utf8(request.body).unwrap(), expected),
        other => panic!("not replaced: {other:?}"),
    }
}

#[track_caller]
fn assert_invalid(program: &str, body: &str, expected: &str) {
    match run_on(program, body) {
        Err(Error::Invalid(message)) => assert!(message.contains(expected), "{message}"),
        other => panic!("not invalid: {other:?}"),
    }
}

#[test]
fn the_first_output_is_the_new_body() {
    let plugin = JqTransform::new(Config { program: "{text: \"\\(.event) \\(.data.id)\"}".into() }).unwrap();
    let event = Event::test("orders/created", json!({"id": 7}));
    let outcome = plugin.transform(&event, &Endpoint::test());
    assert_eq!(outcome, Ok(Outcome::body(r#"{"text":"orders/created 7"}"#)));
    assert_body(".items | map(.price * 2) | add", r#"{"items":[{"price":1},{"price":2}]}"#, "6");
    assert_body(r#"del(.card) | .at |= ascii_upcase"#, r#"{"card":1,"at":"x"}"#, r#"{"at":"X"}"#);
    assert_body(r#".s | test("^a+$")"#, r#"{"s":"aaa"}"#, "true");
    assert_body(".s | @base64", r#"{"s":"hook"}"#, r#""aG9vaw==""#);
}

#[test]
fn long_numbers_and_key_order_survive() {
    assert_body(
        "del(.x)",
        r#"{"z":123456789012345678901234567890,"x":1,"a":1.000000000000000000000000000001}"#,
        r#"{"z":123456789012345678901234567890,"a":1.000000000000000000000000000001}"#,
    );
}

#[test]
fn what_is_not_changed_is_left_alone() {
    let body = r#"{ "a" : 1.0,  "b":[ 12345678901234567890123 ] }"#;
    assert_eq!(run_on(".", body), Ok(Outcome::Unchanged));
    assert_body("{b, a}", r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#);
}

#[test]
fn no_output_drops_the_delivery_and_two_are_an_error() {
    assert!(matches!(run_on("select(.total > 100)", r#"{"total":5}"#), Ok(Outcome::Drop(_))));
    assert_invalid(".[]", "[1,2]", "more than one output");
    assert_invalid("., error(\"late\")", "{}", "more than one output");
}

#[test]
fn a_program_that_fails_says_why() {
    assert_invalid(".a.b", r#"{"a":1}"#, "the jq program failed: cannot index 1 with \"b\"");
    assert_invalid("error(\"no order\")", "{}", "no order");
    assert_invalid("halt", "{}", "`halt`");
}

#[test]
fn an_output_that_json_cannot_say_is_never_sent() {
    assert_invalid("nan", "{}", "JSON cannot say");
    assert_invalid("{(\"a\"): infinite}", "{}", "JSON cannot say");
    assert_invalid("\"/w==\" | @base64d", "{}", "JSON cannot say");
    assert_invalid("tobytes", r#""a""#, "JSON cannot say");
}

#[test]
fn a_body_that_is_not_json_is_invalid() {
    for body in ["", "<xml/>", "{", "1 2"] {
        assert_invalid(".", body, "the body is not JSON");
    }
    assert_invalid(".", &"[".repeat(1_000_000), "nested deeper than 128 levels");
    assert_eq!(run_on(".", r#"["\"[[[[", "\\"]"#), Ok(Outcome::Unchanged));
}

#[test]
fn a_bad_program_is_refused_with_its_place() {
    let cases = [
        (".a |", "at character 5"),
        ("{a: .b", "closing brace"),
        (".a | nope(1)", "the filter `nope` is not defined at character 6"),
        ("$x", "the variable `$x` is not defined"),
        ("import \"m\" as m; .", "modules cannot be loaded"),
        (". as [$a, {b: $c}] | ]", "at character 22"),
        ("\"open", "closing quote"),
    ];
    for (program, expected) in cases {
        let Err(error) = JqTransform::new(Config { program: program.into() }) else {
            panic!("{program} compiled")
        };
        assert!(error.contains(expected), "{program}: {error}");
    }
}
