//! The rules of filters: each row of `docs/filters.md`, the words of refusals, limits and hostile input.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Filter, Reason};
use crate::json::Subject;
use crate::model::{Endpoint, EndpointId, EnvelopeCache, Event, EventKey, TenantId, UnixMs};

const PAGE: &str = include_str!("../../../docs/filters.md");

fn subject(data: &str) -> Subject {
    Subject::new(Arc::new(Event {
        key: EventKey::new(UnixMs(1), 1),
        id: "evt_1".parse().unwrap(),
        tenant: TenantId::default(),
        topic: "orders/created".parse().unwrap(),
        timestamp: "2024-03-15T14:30:00Z".parse().unwrap(),
        accepted_at: UnixMs(1),
        data: Bytes::copy_from_slice(data.as_bytes()),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    }))
}

fn endpoint() -> Endpoint {
    let url = "https://example.com/hook".parse().unwrap();
    let mut endpoint = Endpoint::new(EndpointId::new(UnixMs(1), 1), TenantId::default(), url, UnixMs(1));
    endpoint.metadata.insert("team".to_owned(), "a".to_owned());
    endpoint
}

fn judged(filter: &str, data: &str) -> Result<(), String> {
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {} {error}", error.pointer));
    filter.judge(&subject(data), &endpoint())
}

fn reason(filter: &str, data: &str) -> String {
    judged(filter, data).expect_err(filter)
}

fn refused(filter: &str) -> (String, Reason) {
    let error = Filter::parse(filter).expect_err(filter);
    (error.pointer, error.reason)
}

/// The rows of the tables under a heading whose first cell is code; cells without their backticks.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let section = PAGE.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '`', '|'])).collect()
        })
        .collect()
}

#[test]
fn every_rule_on_the_page_is_true() {
    let rows = rows("Rules");
    assert!(rows.len() > 80, "the table was not found");
    for row in rows {
        let [filter, data, passes] = row[..] else { panic!("{row:?}") };
        let verdict = judged(filter, data);
        assert_eq!(verdict.is_ok(), passes == "yes", "{filter} for {data}: {verdict:?}");
        let negated = judged(&format!(r#"{{"$not": {filter}}}"#), data);
        assert_ne!(verdict.is_ok(), negated.is_ok(), "`$not` is the opposite of {filter} for {data}");
    }
}

#[test]
fn everything_that_the_page_says_is_refused_is_refused_at_its_place() {
    let rows = rows("What is refused");
    assert!(rows.len() > 25, "the table was not found");
    for row in rows {
        let (filter, pointer) = (row[0], row.get(1).copied().unwrap_or_default());
        let (at, reason) = refused(filter);
        assert_eq!(at, pointer, "{filter}: {reason}");
    }
}

#[test]
fn a_refusal_names_the_condition_that_failed_and_the_value_it_met() {
    let cases = [
        (
            r#"{"data":{"order":{"total":{"$gte":100}}}}"#,
            r#"{"order":{"total":40}}"#,
            "data.order.total: 40 is not >= 100",
        ),
        (r#"{"data":{"order":{"total":{"$gte":100}}}}"#, "{}", "data.order.total is missing"),
        (r#"{"event":"orders/created","data":{"a":"x"}}"#, r#"{"a":"y"}"#, r#"data.a: "y" is not "x""#),
        (r#"{"data":{"a":{"$ne":"x"}}}"#, r#"{"a":["w","x"]}"#, r#"data.a: "x" is "x""#),
        (
            r#"{"data":{"a":{"$in":[1,2,3,4,5,6]}}}"#,
            r#"{"a":0}"#,
            "data.a: 0 is not one of 1, 2, 3, 4, 5, ...",
        ),
        (r#"{"data":{"a":{"$exists":false}}}"#, r#"{"a":null}"#, "data.a is there"),
        (r#"{"data":{"a":{"$exists":true}}}"#, "{}", "data.a is missing"),
        (
            r#"{"event":{"$startsWith":"users/"}}"#,
            "{}",
            r#"event: "orders/created" does not start with "users/""#,
        ),
        (r#"{"data":{"a":{"$regex":"^x"}}}"#, r#"{"a":"y"}"#, r#"data.a: "y" does not match /^x/"#),
        (
            r#"{"$or":[{"data":{"a":1}},{"data":{"b":1}}]}"#,
            r#"{"a":2}"#,
            "data.a: 2 is not 1; data.b is missing",
        ),
        (
            r#"{"$not":{"data":{"a":1,"b":{"$gt":1}}}}"#,
            r#"{"a":1,"b":2}"#,
            "data.a: 1 is 1 and data.b: 2 is > 1",
        ),
        (
            r#"{"data":{"items":{"n":9}}}"#,
            r#"{"items":[{"n":1},{"n":2},{"n":3}]}"#,
            "data.items.n: 1 is not 9, nor is any of 2 more",
        ),
        (r#"{"data":{"/a b/0":1}}"#, r#"{"a b":[2]}"#, "/data/a b/0: 2 is not 1"),
    ];
    for (filter, data, expected) in cases {
        assert_eq!(reason(filter, data), expected, "{filter}");
    }
}

#[test]
fn a_reason_is_short_whatever_the_event_and_the_filter_hold() {
    let long = "ü".repeat(5_000);
    let many = format!(
        r#"{{"$or":[{}]}}"#,
        vec![format!(r#"{{"data":{{"{}":1}}}}"#, "k".repeat(60)); 150].join(",")
    );
    for reason in [
        reason(&format!(r#"{{"data":"{long}"}}"#), &format!(r#""{long}x""#)),
        reason(&many, "{}"),
        reason(r#"{"data":{"a":1}}"#, &format!(r#"{{"a":["{long}"]}}"#)),
    ] {
        assert!(reason.len() <= 520, "{} bytes", reason.len());
    }
}

#[test]
fn limits_are_kept_and_named() {
    let conditions = |count: usize| {
        let all: Vec<_> = (0..count).map(|n| format!(r#""k{n}":1"#)).collect();
        format!(r#"{{"data":{{{}}}}}"#, all.join(","))
    };
    assert!(Filter::parse(&conditions(200)).is_ok());
    assert_eq!(refused(&conditions(201)).1, Reason::TooManyConditions);

    let levels =
        |count: usize| format!("{}{}{}", r#"{"$not":"#.repeat(count), r#"{"event":"a"}"#, "}".repeat(count));
    assert!(Filter::parse(&levels(15)).is_ok());
    assert_eq!(refused(&levels(16)).1, Reason::TooDeep);
    assert_eq!(refused(&levels(1_000)).1, Reason::TooDeep);
    let hidden = format!(r#"{{"$not":{},"$not":{{"event":"a"}}}}"#, levels(1_500));
    assert_eq!(refused(&hidden).1, Reason::DuplicateKey("$not".to_owned()));

    let patterns = |count: usize| {
        let all = vec![r#"{"event":{"$regex":"a"}}"#; count].join(",");
        format!(r#"{{"$or":[{all}]}}"#)
    };
    assert!(Filter::parse(&patterns(10)).is_ok());
    assert_eq!(refused(&patterns(11)).1, Reason::TooManyPatterns);
    let pattern = |length| format!(r#"{{"event":{{"$regex":"{}"}}}}"#, "a".repeat(length));
    assert!(Filter::parse(&pattern(1024)).is_ok());
    assert_eq!(refused(&pattern(1025)).1, Reason::PatternTooLong(1025));

    let long = format!(r#"{{"event":"{}"}}"#, "a".repeat(16 * 1024));
    assert!(matches!(refused(&long).1, Reason::TooLong(_)));
    let steps = |count: usize| format!(r#"{{"/data{}":1}}"#, "/a".repeat(count));
    assert!(Filter::parse(&steps(32)).is_ok());
    assert_eq!(refused(&steps(33)).1, Reason::TooManySteps);
}

#[test]
fn an_event_that_would_take_too_long_to_judge_does_not_pass_and_says_so() {
    let pattern = r#"{"data":{"text":{"$regex":"[ab]*a[ab]{900}c"}}}"#;
    let not = format!(r#"{{"$not":{pattern}}}"#);
    let text = |bytes: usize| format!(r#"{{"text":"{}"}}"#, "ab".repeat(bytes / 2));
    assert!(judged(&not, &text(4_000)).is_ok());
    assert!(reason(pattern, &text(4_000)).contains("does not match"));
    for filter in [pattern, &not] {
        assert!(reason(filter, &text(1_000_000)).contains("too large for this filter"));
    }
    let texts = format!(r#"{{"text":[{}]}}"#, vec![format!("\"{}\"", "a".repeat(1_000)); 900].join(","));
    assert!(reason(&not, &texts).contains("too large for this filter"));

    let items = format!(r#"{{"items":[{}]}}"#, vec![r#"{"k":1}"#; 20_000].join(","));
    let keys = |count| format!(r#"{{"$or":[{}]}}"#, vec![r#"{"data":{"items":{"k":0}}}"#; count].join(","));
    assert!(reason(&keys(10), &items).starts_with("data.items.k: 1 is not 0"));
    assert!(reason(&keys(199), &items).contains("too large for this filter"));
}

#[test]
fn a_bad_pattern_is_refused_with_the_reason() {
    let message = |pattern: &str| refused(&format!(r#"{{"event":{{"$regex":"{pattern}"}}}}"#)).1.to_string();
    assert!(message("(").ends_with("unclosed group"), "{}", message("("));
    assert!(message("(?=x)").contains("look-around"), "{}", message("(?=x)"));
    let large = message(r"(\\w{100}){100}");
    assert!(large.contains("exceeds size limit"), "{large}");
}

#[test]
fn an_unknown_operator_is_told_which_there_are() {
    let text = refused(r#"{"data":{"a":{"$neq":1}}}"#).1.to_string();
    assert!(text.starts_with("`$neq` is no operator") && text.contains("`$ne`"), "{text}");
}

#[test]
fn text_that_is_no_json_is_refused() {
    for text in ["", "{", "{]", "nonsense", r#"{"data":"#, r#"{"data":1}}"#, "\u{0}"] {
        assert_eq!(refused(text), (String::new(), Reason::NotAnObject), "{text}");
    }
}

/// A value as JSON.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        (-3_i64..4).prop_map(|value| value.to_string()),
        (-2.0..2.0).prop_map(|value: f64| value.to_string()),
        "[ab]{0,2}".prop_map(|text| format!("\"{text}\"")),
    ]
}

/// An object with the keys `a` and `b`, two levels deep.
fn data() -> impl Strategy<Value = String> {
    let inner = (value(), value()).prop_map(|(a, b)| format!(r#"{{"a": {a}, "b": [{b}]}}"#));
    (prop_oneof![value(), inner], value()).prop_map(|(a, b)| format!(r#"{{"a": {a}, "b": {b}}}"#))
}

/// A filter with every operator.
fn filter() -> impl Strategy<Value = String> {
    let operator = prop_oneof![
        value(),
        (prop::sample::select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), value())
            .prop_map(|(operator, value)| format!(r#"{{"{operator}": {value}}}"#)),
        (prop::sample::select(vec!["$in", "$nin"]), value(), value())
            .prop_map(|(operator, a, b)| format!(r#"{{"{operator}": [{a}, {b}]}}"#)),
        any::<bool>().prop_map(|is_there| format!(r#"{{"$exists": {is_there}}}"#)),
        (prop::sample::select(vec!["$startsWith", "$endsWith", "$regex"]), "[ab]{1,2}")
            .prop_map(|(operator, text)| format!(r#"{{"{operator}": "{text}"}}"#)),
    ];
    let place = prop::sample::select(vec!["a", "b", "/a/b", "/b/0", "c"]);
    let leaf =
        (place, operator).prop_map(|(place, operator)| format!(r#"{{"data": {{"{place}": {operator}}}}}"#));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!(r#"{{"$not": {inner}}}"#)),
            (prop::sample::select(vec!["$and", "$or"]), prop::collection::vec(inner, 1..3))
                .prop_map(|(operator, all)| format!(r#"{{"{operator}": [{}]}}"#, all.join(", "))),
        ]
    })
}

proptest! {
    #[test]
    fn conditions_combine_as_logic_says(one in filter(), other in filter(), data in data()) {
        let Ok(parsed) = Filter::parse(&one) else {
            // Only what compares a thing with something that has no order is refused.
            prop_assert!(one.contains("$gt") || one.contains("$lt"), "{one}");
            return Ok(());
        };
        prop_assume!(Filter::parse(&other).is_ok());
        let holds = |filter: &str| judged(filter, &data).is_ok();
        let (a, b) = (holds(&one), holds(&other));
        prop_assert_eq!(parsed.judge(&subject(&data), &endpoint()).is_ok(), a);
        prop_assert_eq!(holds(&format!(r#"{{"$not": {one}}}"#)), !a, "{} on {}", one, data);
        prop_assert_eq!(holds(&format!(r#"{{"$and": [{one}, {other}]}}"#)), a && b, "{}, {} on {}", one, other, data);
        prop_assert_eq!(holds(&format!(r#"{{"$or": [{one}, {other}]}}"#)), a || b, "{}, {} on {}", one, other, data);
    }

    #[test]
    fn a_filter_means_the_same_however_its_json_is_written(one in filter(), data in data()) {
        prop_assume!(Filter::parse(&one).is_ok());
        let written: serde_json::Value = serde_json::from_str(&one).unwrap();
        let again = serde_json::to_string_pretty(&written).unwrap();
        prop_assert_eq!(judged(&one, &data).is_ok(), judged(&again, &data).is_ok(), "{} on {}", one, data);
    }

    #[test]
    fn anything_is_survived(filter in r#"\{"(data|event|\$not|\$or)":[\[\]{}:,"\\a$/~ 0-9]{0,30}\}"#, data: String) {
        if let Ok(filter) = Filter::parse(&filter) {
            let data = serde_json::to_string(&data).unwrap();
            let _ = filter.judge(&subject(&data), &endpoint());
        }
    }
}
