//! Hostile and ordinary CloudEvents in each mode.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::http::Keys;
use crate::model::{ApiKey, Scope};

/// That of the specification, without its comments.
const EVENT: &str = r#"{ "specversion" : "1.0", "type" : "com.github.pull_request.opened",
  "source" : "https://github.com/cloudevents/spec/pull", "subject" : "123", "id" : "A234-1234-1234",
  "time" : "2018-04-05T17:31:00Z", "comexampleextension1" : "value", "comexampleothervalue" : 5,
  "datacontenttype" : "text/xml", "data" : "<much wow=\"xml\"/>" }"#;

fn caller(scope: Scope) -> Caller {
    let key = ApiKey::new(UnixMs(1), 1, [1; 32]);
    let keys = Keys::new(vec![key.record(scope, "", UnixMs(1))], Clock::starting_at(UnixMs(1)));
    let value = format!("Bearer {}", key.reveal()).parse().unwrap();
    keys.open(&HeaderMap::from_iter([(AUTHORIZATION, value)])).unwrap()
}

fn structured(json: &str) -> Result<NewEvent, Problem> {
    let body = Bytes::copy_from_slice(json.as_bytes());
    structured::read(std::str::from_utf8(&body).unwrap(), &body, &caller(Scope::Admin), UnixMs(7))
}

fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    all.iter().map(pair).collect()
}

fn binary(all: &[(&'static str, &str)], body: &[u8]) -> Result<NewEvent, Problem> {
    binary::read(&headers(all), &Bytes::copy_from_slice(body), &caller(Scope::Admin), UnixMs(7))
}

const LEAST: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("ce-type", "a.b"), ("ce-source", "/shop"), ("ce-id", "1")];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&LEAST[..], more].concat()
}

fn data(event: &NewEvent) -> Value {
    serde_json::from_slice(&event.data).unwrap()
}

#[test]
fn a_structured_event_is_kept_byte_for_byte_and_mapped() {
    let event = structured(EVENT).unwrap();
    assert_eq!(event.data, EVENT);
    assert_eq!(event.topic.as_str(), "com.github.pull_request.opened");
    assert_eq!(event.timestamp.unwrap().to_string(), "2018-04-05T17:31:00Z");
    assert_eq!(event.tenant, TenantId::default());
    assert_eq!(structured(&format!("\n {EVENT} \n")).unwrap().data, EVENT);
}

/// The form is a promise: a producer that sends the same again after an update must not get a second event.
#[test]
fn the_id_is_made_of_source_and_id_and_stays_as_it_is() {
    let id = |source: &str, id: &str| event_id(source, id).as_str().to_owned();
    assert_eq!(id("/shop", "1"), "ce_5WAj5mThytHzzFz5_5BSdspnoDI4ssjlPop7rOs_TNU");
    assert_ne!(id("/shop", "1"), id("/shop2", "1"));
    assert_ne!(id("/a", "b/c"), id("/a/b", "c"));
    let both = [structured(EVENT).unwrap().id, structured(EVENT).unwrap().id];
    assert_eq!(both[0], both[1]);
}

#[test]
fn an_attribute_that_is_missing_or_wrong_is_named_in_each_mode() {
    let change = |name: &str, value: Value| {
        let mut event: Value = serde_json::from_str(EVENT).unwrap();
        event[name] = value;
        event.to_string()
    };
    for (name, value, header) in [
        ("specversion", json!(null), None),
        ("specversion", json!("0.3"), Some("0.3")),
        ("specversion", json!(1.0), None),
        ("type", json!(""), Some("")),
        ("type", json!("a b"), Some("a b")),
        ("type", json!("hookway.endpoint.failed"), Some("hookway.endpoint.failed")),
        ("source", json!(null), None),
        ("source", json!("/a\nb"), Some("/a%0Ab")),
        ("id", json!(5), None),
        ("id", json!("\u{7f}"), Some("%7F")),
        ("time", json!("yesterday"), Some("yesterday")),
        ("hookwaytenant", json!("a b"), Some("a b")),
    ] {
        let problem = structured(&change(name, value)).expect_err(name);
        assert_eq!(problem.pointer(), Some(format!("/{name}").as_str()));
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let mut all = LEAST.to_vec();
        all.retain(|(given, _)| given.strip_prefix("ce-") != Some(name));
        let wrong =
            [("ce-specversion"), ("ce-type"), ("ce-source"), ("ce-id"), ("ce-time"), ("ce-hookwaytenant")]
                .into_iter()
                .find(|header| header.strip_prefix("ce-") == Some(name))
                .unwrap();
        all.extend(header.map(|value| (wrong, value)));
        let problem = binary(&all, b"1").expect_err(name);
        assert!(problem.detail().contains(&format!("`ce-{name}`")), "{}", problem.detail());
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[test]
fn what_is_no_cloud_event_is_refused() {
    for (json, pointer) in [
        (r#"{"Type":"a"}"#, "/Type"),
        (r#"{"a/b":"a"}"#, "/a~1b"),
        (r#"{"":"a"}"#, "/"),
        (r#"{"id":"1","id":"2"}"#, "/id"),
        (r#"{"id":"1","i\u0064":"2"}"#, "/id"),
        (r#"{"data":1,"data_base64":"AA=="}"#, "/data_base64"),
        (r#"{"data_base64":"a b"}"#, "/data_base64"),
        (r#"{"data_base64":5}"#, "/data_base64"),
        ("[]", ""),
        ("5", ""),
    ] {
        assert_eq!(structured(json).unwrap_err().pointer(), Some(pointer), "{json}");
    }
    let many: String = (0..101).map(|n| format!(r#""x{n}":1,"#)).collect();
    assert!(structured(&format!("{{{many}\"id\":\"1\"}}")).is_err());
    let deep = format!(r#"{{"data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for json in ["", "{", &deep] {
        assert_eq!(structured(json).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn the_payload_of_binary_mode_stands_where_its_type_says() {
    let json = with(&[("content-type", "application/vnd.acme+json; charset=utf-8"), ("ce-subject", "x")]);
    let event = binary(&json, br#"{"b": 1.00,  "a":123456789012345678901234567890}"#).unwrap();
    let text = std::str::from_utf8(&event.data).unwrap();
    assert!(text.contains(r#""data":{"b": 1.00,  "a":123456789012345678901234567890}"#), "{text}");
    let shown = data(&event);
    assert_eq!((&shown["subject"], &shown["type"], &shown["id"]), (&json!("x"), &json!("a.b"), &json!("1")));
    assert_eq!(shown["datacontenttype"], "application/vnd.acme+json; charset=utf-8");
    assert_eq!(data(&binary(&with(&[]), b"[1]").unwrap())["data"], json!([1]));
    let xml = with(&[("content-type", "text/xml")]);
    assert_eq!(data(&binary(&xml, "<grün/>".as_bytes()).unwrap())["data"], "<grün/>");
    assert_eq!(data(&binary(&xml, b"\xff\x00").unwrap())["data_base64"], "/wA=");
    let nothing = data(&binary(&xml, b"").unwrap());
    assert!(nothing.get("data").is_none() && nothing.get("data_base64").is_none());
    for body in [&b"{"[..], b"\xff", "[".repeat(64).as_bytes()] {
        assert_eq!(binary(&with(&[]), body).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn headers_are_decoded_and_no_attribute_can_break_out_of_the_json() {
    let event = binary(&with(&[("ce-subject", "\"Euro \\\" %E2%82%AC %22,%22id%22:%22x\"")]), b"1").unwrap();
    assert_eq!(data(&event)["subject"], "Euro \" € \",\"id\":\"x");
    assert_eq!(data(&event)["id"], "1");
    for (value, word) in [("%E2%82", "UTF-8"), ("%2", "hex"), ("%zz", "hex"), ("\"\\\"", "ends")] {
        let all = [&LEAST[..], &[("ce-subject", value)]].concat();
        let problem = binary(&all, b"1").unwrap_err();
        assert!(
            problem.detail().contains("`ce-subject`") && problem.detail().contains(word),
            "{}",
            problem.detail()
        );
    }
    for name in ["ce-data", "ce-datacontenttype", "ce-a_b", "ce-"] {
        let all = [&LEAST[..], &[(name, "x")]].concat();
        assert!(binary(&all, b"1").unwrap_err().detail().contains(name), "{name}");
    }
    let twice = [&LEAST[..], &[("ce-subject", "a"), ("ce-subject", "b")]].concat();
    assert!(binary(&twice, b"1").unwrap_err().detail().contains("twice"));
}

#[test]
fn both_modes_make_the_same_event_id_and_ask_for_the_tenant() {
    let json = r#"{"specversion":"1.0","type":"a.b","source":"/shop","id":"1"}"#;
    assert_eq!(structured(json).unwrap().id, binary(&LEAST, b"1").unwrap().id);
    let tenant = binary(&with(&[("ce-hookwaytenant", "acme")]), b"1").unwrap().tenant;
    assert_eq!(tenant.as_str(), "acme");
    let acme = Scope::EventsWrite(Some("acme".parse().unwrap()));
    let foreign = headers(&with(&[("ce-hookwaytenant", "other"), (CONTENT_TYPE_NAME, "application/json")]));
    let problem = binary::read(&foreign, &Bytes::from_static(b"1"), &caller(acme), UnixMs(7)).unwrap_err();
    assert_eq!(problem.status(), StatusCode::FORBIDDEN);
    assert_eq!(CONTENT_TYPE.as_str(), CONTENT_TYPE_NAME);
}

const CONTENT_TYPE_NAME: &str = "content-type";
