use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::json::Subject;
use crate::model::Header;
use crate::plugins::tests::subject;

const EVENT: &str = r#"{"total": 7}"#;

fn event() -> Subject {
    subject(EVENT)
}

fn deliver(body: impl Into<Bytes>) -> Answered {
    request(body, &[], &[])
}

fn request(body: impl Into<Bytes>, set: &[(&'static str, &'static str)], remove: &[&str]) -> Answered {
    let header = |&(name, value): &(&'static str, &'static str)| Header {
        name: name.into(),
        value: Bytes::from_static(value.as_bytes()),
    };
    let request = CustomRequest {
        body: body.into(),
        content_type: None,
        set_headers: set.iter().map(header).collect(),
        remove_headers: remove.iter().map(|&name| name.to_owned()).collect(),
    };
    Answered::Deliver { request: Some(Arc::new(request)) }
}

fn drop(reason: &str) -> Answered {
    Answered::Drop { reason: reason.to_owned() }
}

fn fail(message: &str) -> Answered {
    Answered::Fail { message: message.to_owned() }
}

fn compare(live: &Answered, candidate: &Answered) -> Comparison {
    Comparison::of(event().event(), live, candidate)
}

fn changes_of(live: &str, candidate: &str) -> serde_json::Value {
    let compared = compare(&deliver(live.to_owned()), &deliver(candidate.to_owned()));
    serde_json::to_value(compared.body.unwrap().changes).unwrap()
}

#[test]
fn what_a_receiver_gets_decides() {
    let untouched = Answered::Deliver { request: None };
    let answers = [untouched, deliver("{}"), drop("a"), fail("a")];
    for (n, a) in answers.iter().enumerate() {
        for (m, b) in answers.iter().enumerate() {
            let expected = if n == m { Sameness::Same } else { Sameness::Different };
            assert_eq!(compare(a, b).sameness, expected, "{a:?} {b:?}");
        }
    }
    for (a, b) in [(drop("a"), drop("b")), (fail("a"), fail("b"))] {
        assert_eq!(compare(&a, &b).sameness, Sameness::Equivalent, "nothing is sent, for another reason");
    }
}

#[test]
fn a_body_that_a_transform_made_as_it_was_is_the_same() {
    let envelope = event().event().envelope();
    let untouched = Answered::Deliver { request: None };
    assert_eq!(compare(&untouched, &deliver(envelope)).sameness, Sameness::Same);
}

#[test]
fn json_of_the_same_value_is_equivalent_and_not_the_same() {
    for (a, b) in [
        (r#"{"a": 1, "b": [true, "\u00fc"]}"#, r#"{"b":[true,"ü"],"a":1.0}"#),
        ("[1, 2]", "[1,2]"),
        ("null", " null"),
    ] {
        let compared = compare(&deliver(a), &deliver(b));
        assert_eq!(compared.sameness, Sameness::Equivalent, "{a} {b}");
        let body = compared.body.unwrap();
        assert!(body.changes.is_empty() && body.sentence.starts_with("the same JSON"), "{body:?}");
    }
}

#[test]
fn changes_are_told_by_place_with_every_digit() {
    let live =
        r#"{"a/b": 1, "gone": null, "list": [{"id": 1, "n": "x"}, 2], "big": 12345678901234567890123}"#;
    let candidate =
        r#"{"a/b": 2, "new": {"x": []}, "list": [0, {"id": 1, "n": "y"}], "big": 12345678901234567890124}"#;
    let compared = compare(&deliver(live), &deliver(candidate));
    let body = compared.body.unwrap();
    let told = serde_json::to_string(&body.changes).unwrap();
    for part in [
        r#"{"pointer":"/a~1b","live":1,"candidate":2}"#,
        r#"{"pointer":"/gone","live":null}"#,
        r#"{"pointer":"/new","candidate":{"x": []}}"#,
        r#"{"pointer":"/big","live":12345678901234567890123,"candidate":12345678901234567890124}"#,
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(body.sentence, format!("{} changes in the JSON", body.changes.len()));
}

#[test]
fn an_element_more_or_less_is_one_change() {
    let all = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(
        changes_of(&format!("[{all}]"), &format!("[-1,{all}]")),
        json!([{"pointer": "/0", "candidate": -1}])
    );
    assert_eq!(changes_of("[1,2,3]", "[1,3]"), json!([{"pointer": "/1", "live": 2}]));
    assert_eq!(
        changes_of(r#"[{"a":1},{"b":2}]"#, r#"[{"a":1},{"b":3}]"#),
        json!([{"pointer": "/1/b", "live": 2, "candidate": 3}])
    );
}

#[test]
fn what_is_told_is_bounded() {
    let many = |add: u32| {
        let members = (0..1_000).map(|n| format!(r#""k{n}":{}"#, n + add)).collect::<Vec<_>>();
        format!("{{{}}}", members.join(","))
    };
    let body = compare(&deliver(many(0)), &deliver(many(1))).body.unwrap();
    assert_eq!((body.changes.len(), body.left_out), (50, 950));
    assert_eq!(body.sentence, "1000 changes in the JSON");

    let long = format!("\"{}\"", "ü".repeat(10_000));
    let body = compare(&deliver(long), &deliver("1")).body.unwrap();
    let shown = body.changes[0].live.as_ref().unwrap();
    assert!(shown.len() < 600 && shown.ends_with("…\""), "{shown}");

    let large =
        |add: u32| format!("[{}]", (0..100_000).map(|n| (n + add).to_string()).collect::<Vec<_>>().join(","));
    let body = compare(&deliver(large(0)), &deliver(large(1))).body.unwrap();
    assert_eq!(body.changes.len() + body.left_out, 100_000);
}

#[test]
fn deep_and_broken_json_is_compared_as_bytes() {
    let deep = |inside: &str| format!("{}{inside}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (a, b, sentence) in [
        (deep("1"), deep("2"), "the bodies are not JSON; they differ from byte 100000 on"),
        ("{}".to_owned(), "<a/>".to_owned(), "the live version's body is JSON and the candidate's is not"),
        ("<a/>".to_owned(), "{}".to_owned(), "the candidate's body is JSON and the live version's is not"),
        ("<a/>".to_owned(), "<b/>".to_owned(), "the bodies are not JSON; they differ from byte 1 on, of 4"),
    ] {
        let compared = compare(&deliver(a), &deliver(b));
        let told = compared.body.unwrap().sentence;
        assert!(told.starts_with(sentence), "{told}");
        assert_eq!(compared.sameness, Sameness::Different);
    }
    let not_utf8 = compare(&deliver(&b"\"\xff\""[..]), &deliver("\"a\"")).body.unwrap();
    assert!(not_utf8.sentence.starts_with("the candidate's body is JSON"), "{not_utf8:?}");
}

#[test]
fn headers_are_compared_by_what_is_done_to_them() {
    let live = request("{}", &[("x-a", "1"), ("x-b", "2")], &["user-agent"]);
    let reordered = request("{}", &[("x-b", "2"), ("x-a", "1")], &["user-agent"]);
    assert_eq!(compare(&live, &reordered).sameness, Sameness::Same);

    let compared = compare(&live, &request("{}", &[("x-a", "2"), ("user-agent", "me")], &[]));
    assert_eq!(compared.sameness, Sameness::Different);
    assert_eq!(
        serde_json::to_value(&compared).unwrap(),
        json!({
            "sameness": "different",
            "live": {"verdict": "deliver"},
            "candidate": {"verdict": "deliver"},
            "body": null,
            "headers": [
                {"name": "user-agent", "live": "removed", "candidate": {"set": "me"}},
                {"name": "x-a", "live": {"set": "1"}, "candidate": {"set": "2"}},
                {"name": "x-b", "live": {"set": "2"}, "candidate": "untouched"},
            ],
        })
    );
}

#[test]
fn a_content_type_that_is_said_is_the_one_that_goes_without_saying() {
    let with_type = |text: &str| {
        let request = CustomRequest {
            body: Bytes::from_static(b"{}"),
            content_type: Some(text.to_owned()),
            set_headers: Vec::new(),
            remove_headers: Vec::new(),
        };
        Answered::Deliver { request: Some(Arc::new(request)) }
    };
    assert_eq!(compare(&deliver("{}"), &with_type("application/json")).sameness, Sameness::Same);
    let compared = compare(&deliver("{}"), &with_type("text/plain"));
    assert_eq!(compared.headers[0].name, "content-type");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        (-3..3_i32).prop_map(|value| json!(value)),
        "[a-c]{0,2}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn there_are_changes_exactly_where_values_differ(a in any_json(), b in any_json()) {
        let compared = compare(&deliver(a.to_string()), &deliver(b.to_string()));
        prop_assert_eq!(compared.sameness == Sameness::Different, a != b);
        let changes = compared.body.map(|body| body.changes).unwrap_or_default();
        for change in &changes {
            // What is told of the candidate stands there.
            if let Some(told) = &change.candidate {
                let told: serde_json::Value = serde_json::from_str(told).unwrap();
                prop_assert_eq!(b.pointer(&change.pointer), Some(&told));
            }
        }
    }
}
