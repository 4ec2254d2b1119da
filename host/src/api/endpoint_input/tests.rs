//! What is taken for an endpoint and what is refused, by pointer.

use std::sync::Arc;

use http::StatusCode;

use super::*;
use crate::http::parse;
use crate::model::{EndpointId, OnFailure, TenantId, UnixMs};

fn target_check() -> TargetCheck {
    Arc::new(|text: &str| text.parse().map_err(|_| "`url` is no URL".to_owned()))
}

fn endpoint() -> Endpoint {
    Endpoint {
        description: "before".to_owned(),
        subscription: Subscription::Patterns(vec!["orders/*".parse().unwrap()]),
        ..Endpoint::new(
            EndpointId::new(UnixMs(1), 1),
            TenantId::default(),
            "https://example.com/hook".parse().unwrap(),
            UnixMs(1),
        )
    }
}

fn patched(endpoint: Endpoint, json: &str) -> Result<Endpoint, Problem> {
    parse::<Patch>(json)?.apply(endpoint, &target_check())
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    assert_eq!(patched(endpoint(), "{}").unwrap(), endpoint());
    let after = patched(endpoint(), r#"{"description":"after","metadata":{"team":"a"}}"#).unwrap();
    assert_eq!(after.description, "after");
    assert_eq!(after.metadata["team"], "a");
    assert_eq!((after.url, after.subscription), (endpoint().url, endpoint().subscription));
}

#[test]
fn topics_are_read_in_the_language_of_the_matcher() {
    let mqtt = patched(endpoint(), r##"{"matcher":"mqtt-topics","topics":["orders/+/#"]}"##).unwrap();
    assert_eq!(mqtt.subscription.matcher().unwrap().as_str(), "mqtt-topics");
    let other = patched(mqtt.clone(), r##"{"topics":["a/#"]}"##).unwrap();
    assert_eq!(other.subscription.patterns(), ["a/#"]);
    let problem = patched(mqtt.clone(), r#"{"matcher":null}"#).unwrap_err();
    assert_eq!(problem.pointer(), Some("/topics/0"), "the patterns stay, and are none of ours");
    let own = patched(mqtt, r#"{"matcher":null,"topics":["a/*"]}"#).unwrap();
    assert_eq!(own.subscription, Subscription::Patterns(vec!["a/*".parse().unwrap()]));
}

#[test]
fn a_binding_keeps_its_configuration_as_it_was_written() {
    let json = r#"{"plugins":[{"plugin":"cel-filter","config":{"b": 1.0,  "a":2}},{"plugin":"x","on_failure":"open","topics":["a/*"]}]}"#;
    let bindings = patched(endpoint(), json).unwrap().plugins;
    assert_eq!(bindings[0].config.as_deref(), Some(r#"{"b": 1.0,  "a":2}"#));
    assert_eq!((&bindings[1].config, bindings[1].on_failure), (&None, Some(OnFailure::Open)));
    assert_eq!(bindings[0].on_failure, None);
}

#[test]
fn a_filter_is_kept_as_it_was_written_and_null_takes_it_away() {
    let with = patched(endpoint(), r#"{"filter":{"data":  {"n": 1.0}}}"#).unwrap();
    assert_eq!(with.filter.as_deref(), Some(r#"{"data":  {"n": 1.0}}"#));
    assert_eq!(patched(with.clone(), "{}").unwrap().filter, with.filter);
    assert_eq!(patched(with, r#"{"filter":null}"#).unwrap().filter, None);
}

#[test]
fn what_cannot_be_taken_is_named_by_its_pointer() {
    let long = "x".repeat(1025);
    let topics = |count| serde_json::to_string(&vec!["a"; count]).unwrap();
    let cases = [
        (r#"{"url":"nonsense"}"#.to_owned(), "/url"),
        (r#"{"url":5}"#.to_owned(), "/url"),
        (r#"{"topics":[]}"#.to_owned(), "/topics"),
        (r#"{"topics":["a","b c"]}"#.to_owned(), "/topics/1"),
        (r#"{"topics":["a",7]}"#.to_owned(), "/topics/1"),
        (format!(r#"{{"topics":{}}}"#, topics(101)), "/topics"),
        (format!(r#"{{"matcher":"m","topics":["{long}"]}}"#), "/topics/0"),
        (r#"{"matcher":"../x"}"#.to_owned(), "/matcher"),
        (r#"{"plugins":[{}]}"#.to_owned(), "/plugins/0/plugin"),
        (r#"{"plugins":[{"plugin":"A"}]}"#.to_owned(), "/plugins/0/plugin"),
        (r#"{"plugins":[{"plugin":"a","on_failure":"explode"}]}"#.to_owned(), "/plugins/0/on_failure"),
        (r#"{"plugins":[{"plugin":"a","topics":["a","*b"]}]}"#.to_owned(), "/plugins/0/topics/1"),
        (r#"{"plugins":[{"plugin":"a","confg":1}]}"#.to_owned(), "/plugins/0/confg"),
        (
            format!(r#"{{"plugins":[{{"plugin":"a","config":"{}"}}]}}"#, "x".repeat(65_536)),
            "/plugins/0/config",
        ),
        (format!(r#"{{"plugins":[{}]}}"#, [r#"{"plugin":"a"}"#; 17].join(",")), "/plugins"),
        (format!(r#"{{"description":"{long}"}}"#), "/description"),
        (format!(r#"{{"metadata":{{"a/b":"{long}"}}}}"#), "/metadata/a~1b"),
        (r#"{"metadata":{"a":1}}"#.to_owned(), "/metadata/a"),
        (r#"{"metadata":{"":"a"}}"#.to_owned(), "/metadata"),
        (r#"{"filter":5}"#.to_owned(), "/filter"),
        (r#"{"filter":{"data":{"a/b":[{"$in":1}],"n":{"$gt":[]}}}}"#.to_owned(), "/filter/data/n/$gt"),
        (r#"{"filter":{"data":{"a/b":{"$in":1}}}}"#.to_owned(), "/filter/data/a~1b/$in"),
        (r#"{"tenant":"other"}"#.to_owned(), "/tenant"),
        (r#"{"secret":"whsec_"}"#.to_owned(), "/secret"),
        (r#"{"secrets":[]}"#.to_owned(), "/secrets"),
        (r#"{"signature":{"style":"rot13","header":"x-a"}}"#.to_owned(), "/signature/style"),
        (
            r#"{"signature":{"style":"hmac-hex","header":"webhook-signature"}}"#.to_owned(),
            "/signature/header",
        ),
    ];
    for (json, pointer) in cases {
        let problem = patched(endpoint(), &json).expect_err(&json);
        assert_eq!(problem.pointer(), Some(pointer), "{json:.80}: {}", problem.detail());
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY, "{json:.80}");
    }
}

#[test]
fn a_new_endpoint_needs_a_url_and_topics() {
    let pointer =
        |json| parse::<Create>(json).unwrap().into_patch().unwrap_err().pointer().map(str::to_owned);
    assert_eq!(pointer(r#"{"topics":["a"]}"#).as_deref(), Some("/url"));
    assert_eq!(pointer(r#"{"url":"https://example.com"}"#).as_deref(), Some("/topics"));
    assert!(parse::<Create>(r#"{"urll":"x"}"#).is_err());
}

#[test]
fn limits_are_whole_numbers_up_to_their_bound() {
    let limited = patched(endpoint(), r#"{"rate_limit":100000,"burst_limit":3}"#).unwrap();
    assert_eq!((limited.rate_limit, limited.burst_limit), (100_000, 3));
    let open = patched(limited, r#"{"rate_limit":0}"#).unwrap();
    assert_eq!((open.rate_limit, open.burst_limit), (0, 3));
    let problem = patched(endpoint(), r#"{"burst_limit":100001}"#).unwrap_err();
    assert_eq!(problem.pointer(), Some("/burst_limit"));
    assert!(parse::<Patch>(r#"{"rate_limit":-1}"#).is_err());
}

#[test]
fn an_ordering_is_one_of_two_words() {
    let ordered = patched(endpoint(), r#"{"ordering":"fifo"}"#).unwrap();
    assert_eq!(ordered.ordering, Ordering::Fifo);
    assert_eq!(patched(ordered, r#"{"ordering":"none"}"#).unwrap().ordering, Ordering::None);
    assert_eq!(patched(endpoint(), r#"{"ordering":"lifo"}"#).unwrap_err().pointer(), Some("/ordering"));
}

#[test]
fn an_ordering_key_comes_with_fifo_and_goes_with_it() {
    let keyed = patched(endpoint(), r#"{"ordering":"fifo","ordering_key":"/customer/id"}"#).unwrap();
    assert_eq!(keyed.ordering_key.as_ref().map(OrderingKey::as_str), Some("/customer/id"));
    let same = patched(keyed.clone(), r#"{"description":"x"}"#).unwrap();
    assert_eq!(same.ordering_key, keyed.ordering_key);
    assert_eq!(patched(keyed.clone(), r#"{"ordering_key":null}"#).unwrap().ordering_key, None);
    assert_eq!(patched(keyed, r#"{"ordering":"none"}"#).unwrap().ordering_key, None);
    for refused in [
        r#"{"ordering_key":"/a"}"#,
        r#"{"ordering":"none","ordering_key":"/a"}"#,
        r#"{"ordering":"fifo","ordering_key":"customer.id"}"#,
        r#"{"ordering":"fifo","ordering_key":"/a~2"}"#,
    ] {
        assert_eq!(patched(endpoint(), refused).unwrap_err().pointer(), Some("/ordering_key"), "{refused}");
    }
}

#[test]
fn a_signature_is_replaced_whole_and_null_goes_back_to_the_standard() {
    let header = |endpoint: &Endpoint| endpoint.request.signature.header().map(str::to_owned);
    let json = r#"{"signature":{"style":"hmac-hex","header":"X-Sig","prefix":"sha256="}}"#;
    let with = patched(endpoint(), json).unwrap();
    assert_eq!(header(&with).as_deref(), Some("x-sig"));
    assert_eq!(patched(with.clone(), "{}").unwrap().request.signature, with.request.signature);
    let other = patched(with.clone(), r#"{"signature":{"style":"timestamped","header":"x-t"}}"#).unwrap();
    assert_eq!(header(&other).as_deref(), Some("x-t"));
    let problem = patched(with.clone(), r#"{"signature":{"style":"hmac-hex"}}"#).unwrap_err();
    assert_eq!(problem.pointer(), Some("/signature/header"), "what is not named is not kept");
    for json in [r#"{"signature":null}"#, r#"{"signature":{"style":"standard"}}"#] {
        assert_eq!(patched(with.clone(), json).unwrap(), endpoint());
    }
}

#[test]
fn the_header_of_a_signature_is_no_other_header_of_the_endpoint() {
    let with = patched(endpoint(), r#"{"headers":{"X-Sig":"1"}}"#).unwrap();
    let signed = r#"{"signature":{"style":"timestamped","header":"x-sig"}}"#;
    assert_eq!(patched(with.clone(), signed).unwrap_err().pointer(), Some("/signature/header"));
    let signed = patched(endpoint(), signed).unwrap();
    let problem = patched(signed, r#"{"headers":{"X-Sig":"1"}}"#).unwrap_err();
    assert_eq!(problem.pointer(), Some("/headers"));
    let swapped = r#"{"headers":{},"signature":{"style":"timestamped","header":"x-sig"}}"#;
    assert!(patched(with, swapped).is_ok(), "what counts is how it is afterwards");
}

#[test]
fn a_secret_in_a_body_is_not_shown_by_debug() {
    let create: Create = parse(r#"{"secret":"whsec_MfKQ","secrets":[{"value":"whsk_MfKQ"}]}"#).unwrap();
    assert!(!format!("{create:?}").contains("MfKQ"));
}
