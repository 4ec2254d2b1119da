//! Patches of good, odd and hostile bodies. The operations themselves are tested where they come from.

use super::*;
use hookway_plugin::{json, testing};
use serde_json::Value;

fn run(config: Value, body: &str) -> Result<Outcome, Error> {
    let event = Event::test("orders/created", json!(null)).with_body(body);
    testing::transform::<JsonPatch>(config).unwrap().transform(&event, &Endpoint::test())
}

#[track_caller]
fn assert_body(patch: Value, body: &str, expected: &str) {
    let outcome = run(json!({ "patch": patch }), body);
    let Ok(Outcome::Replace(request)) = outcome else { panic!("not replaced: {outcome:?}") };
    assert_eq!(String::from_utf8(request.body).unwrap(), expected);
}

#[test]
fn each_operation_does_what_rfc_6902_says() {
    let body = r#"{"event":"a","data":{"card":"4111","items":[1,3],"name":"x"}}"#;
    let patch = json!([
        {"op": "test", "path": "/event", "value": "a"},
        {"op": "remove", "path": "/data/card"},
        {"op": "add", "path": "/data/items/1", "value": 2},
        {"op": "add", "path": "/data/items/-", "value": 4},
        {"op": "replace", "path": "/event", "value": "b"},
        {"op": "move", "from": "/data/name", "path": "/data/title"},
        {"op": "copy", "from": "/data/title", "path": "/title"},
    ]);
    assert_body(patch, body, r#"{"data":{"items":[1,2,3,4],"title":"x"},"event":"b","title":"x"}"#);
    assert_body(json!([{"op": "move", "from": "/data", "path": ""}]), r#"{"data":[1]}"#, "[1]");
}

#[test]
fn numbers_and_texts_stay_as_they_were_written() {
    let odd = r#"[1.10,1e5,-0,123456789012345678901234567890,0.1,"\u0000#1","\u0000$1","-1 \"2\" \\"]"#;
    assert_body(
        json!([{"op": "add", "path": "/x", "value": 1}]),
        &format!(r#"{{"a": {odd}}}"#),
        &format!(r#"{{"a":{odd},"x":1}}"#),
    );
    let patch = r#"{"patch": [{"op": "add", "path": "/x", "value": [1.10, "\u0000#"]}]}"#;
    let plugin = JsonPatch::new(serde_json::from_str(patch).unwrap()).unwrap();
    let event = Event::test("a", json!(null)).with_body("{}");
    assert_eq!(plugin.transform(&event, &Endpoint::test()), Ok(Outcome::body(r#"{"x":[1.10,"\u0000#"]}"#)));
}

#[test]
fn a_path_that_finds_nothing_refuses_the_event_or_is_left_out() {
    for operation in [
        json!({"op": "remove", "path": "/data/card"}),
        json!({"op": "replace", "path": "/data/card", "value": 1}),
        json!({"op": "add", "path": "/nothing/card", "value": 1}),
        json!({"op": "add", "path": "/data/list/3", "value": 1}),
        json!({"op": "copy", "from": "/data/card", "path": "/card"}),
        json!({"op": "test", "path": "/data/card", "value": 1}),
    ] {
        let config = json!({"patch": [{"op": "add", "path": "/a", "value": 1}, operation]});
        let refused = run(config.clone(), r#"{"data":{"list":[]}}"#);
        assert!(
            matches!(&refused, Err(Error::Invalid(message)) if message.starts_with("`patch[1]`")),
            "{operation}: {refused:?}"
        );
        if operation["op"] != "test" {
            let config = json!({"patch": config["patch"], "on_missing": "skip"});
            let sent = run(config, r#"{"data":{"list":[]}}"#);
            assert_eq!(sent, Ok(Outcome::body(r#"{"a":1,"data":{"list":[]}}"#)), "{operation}");
        }
    }
    let config = json!({"patch": [{"op": "copy", "from": "/a", "path": "/b"}]});
    let refused = run(config, "{}").unwrap_err().to_string();
    assert!(refused.contains("finds no place at `/a`"), "{refused}");
}

#[test]
fn a_test_that_does_not_hold_decides_for_the_whole_patch() {
    let with = |on_test_failed: &str| {
        let patch = json!([
            {"op": "add", "path": "/a", "value": 1},
            {"op": "test", "path": "/version", "value": 1},
        ]);
        json!({"patch": patch, "on_test_failed": on_test_failed})
    };
    assert_eq!(run(with("refuse"), r#"{"version":1}"#), Ok(Outcome::body(r#"{"a":1,"version":1}"#)));
    assert!(matches!(run(with("refuse"), r#"{"version":2}"#), Err(Error::Invalid(_))));
    assert_eq!(run(with("unchanged"), r#"{"version":2}"#), Ok(Outcome::Unchanged));
    let why = "`patch[1]`: there is another value at `/version`";
    assert_eq!(run(with("drop"), r#"{"version":2}"#), Ok(Outcome::drop(why)));
}

#[test]
fn a_patch_that_changes_nothing_leaves_the_body_as_it_is() {
    let only_test = json!({"patch": [{"op": "test", "path": "/b", "value": 1}]});
    assert_eq!(run(only_test, r#"{"b": 1, "a": 2}"#), Ok(Outcome::Unchanged));
    let skipped = json!({"patch": [{"op": "remove", "path": "/c"}], "on_missing": "skip"});
    assert_eq!(run(skipped, r#"{"b": 1, "a": 2}"#), Ok(Outcome::Unchanged));
}

#[test]
fn a_body_that_is_not_json_or_too_deep_is_invalid() {
    let config = || json!({"patch": [{"op": "remove", "path": "/a"}]});
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for body in ["", "<xml/>", "{", r#"{"a":1}{}"#, "[01]", "[1.]", "[-]", "\"", &deep] {
        let result = run(config(), body);
        assert!(matches!(result, Err(Error::Invalid(message)) if message.contains("not JSON")), "{body:.20}");
    }
}

#[test]
fn a_bad_config_is_refused_with_its_field() {
    for (config, expected) in [
        (json!({}), "`patch` is missing"),
        (json!({"patch": []}), "`patch` has no operation"),
        (json!({"patch": {}}), "`patch` must be a list, not an object"),
        (json!({"patch": [{"op": "remove", "path": "/a"}, {"op": "ad", "path": "/b"}]}), "`patch[1]`"),
        (json!({"patch": [{"op": "add", "path": "/b"}]}), "`value`"),
        (json!({"patch": [{"op": "remove", "path": "b"}]}), "`patch[0]` is no operation"),
        (json!({"patch": [{"op": "remove", "path": "/a"}], "on_missing": "ignore"}), "`on_missing` must be"),
        (json!({"patches": []}), "unknown field `patches`"),
    ] {
        let error = testing::transform::<JsonPatch>(config.clone()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
