//! Envelopes of plain events, of CloudEvents and of what other transforms made.

use super::*;
use hookway_plugin::{json, testing};

fn run(config: serde_json::Value, event: &Event) -> Result<Outcome, Error> {
    testing::transform::<CloudEvents>(config).unwrap().transform(event, &Endpoint::test())
}

#[track_caller]
fn body(config: serde_json::Value, event: &Event) -> String {
    let Ok(Outcome::Replace(request)) = run(config, event) else { panic!("not replaced") };
    assert_eq!(request.content_type.as_deref(), Some(CONTENT_TYPE));
    String::from_utf8(request.body).unwrap()
}

#[test]
fn an_event_is_wrapped_and_its_data_stays_as_it_was_written() {
    let data = r#"{"z": 123456789012345678901234567890, "a" : [1.10,  2]}"#;
    let event = Event::test("orders/created", json!(null)).with_id("evt_1").with_data(data);
    assert_eq!(
        body(json!({"source": "/shop", "type_prefix": "com.example."}), &event),
        format!(
            r#"{{"specversion":"1.0","id":"evt_1","source":"/shop","type":"com.example.orders.created","time":"2024-03-15T14:30:00Z","datacontenttype":"application/json","data":{data}}}"#
        )
    );
}

#[test]
fn types_subject_schema_and_extensions_come_from_the_config() {
    let config = json!({
        "source": "https://shop.example",
        "types": {"orders/created": "com.example.OrderPlaced"},
        "subject": "/order/id",
        "dataschema": "https://shop.example/order.json",
        "extensions": {"region": "eu"},
    });
    let sent = |data| -> serde_json::Value {
        serde_json::from_str(&body(config.clone(), &Event::test("orders/created", data))).unwrap()
    };
    let event = sent(json!({"order": {"id": "o-7"}}));
    assert_eq!(event["type"], "com.example.OrderPlaced");
    assert_eq!((&event["subject"], &event["region"]), (&json!("o-7"), &json!("eu")));
    assert_eq!(event["dataschema"], "https://shop.example/order.json");
    assert_eq!(sent(json!({"order": {"id": 42}}))["subject"], "42");
    for none in [json!({}), json!({"order": {"id": ""}}), json!({"order": {"id": {}}}), json!(null)] {
        assert!(sent(none)["subject"].is_null(), "an empty subject is none");
    }
}

#[test]
fn a_cloud_event_goes_out_as_it_came() {
    let original =
        r#"{ "specversion":"1.0","type":"com.example.a", "source":"/b","id":"7","data_base64":"AA==" }"#;
    let event = Event::test("com.example.a", json!(null)).with_id("ce_x").with_data(original);
    assert_eq!(body(json!({"source": "/other"}), &event), original);
    let event = Event::test("a", json!({"specversion": "1.0", "id": "7"}));
    assert!(
        body(json!({"source": "/b"}), &event)
            .starts_with(r#"{"specversion":"1.0","id":"evt_test","source":"/b""#)
    );
}

#[test]
fn what_another_transform_made_is_wrapped() {
    let event = Event::test("a", json!({"card": "4111"})).with_timestamp_ms(1);
    let redacted =
        r#"{"event":"a","event_id":"evt_test","timestamp":"2024-01-01T00:00:00.123456Z","data":{}}"#;
    let sent = body(json!({"source": "/b"}), &event.clone().with_body(redacted));
    assert!(
        sent.contains(r#""time":"2024-01-01T00:00:00.123456Z""#) && sent.ends_with(r#""data":{}}"#),
        "{sent}"
    );
    let sent = body(json!({"source": "/b"}), &event.clone().with_body("[1]"));
    assert!(
        sent.contains(r#""time":"1970-01-01T00:00:00.001Z""#) && sent.ends_with(r#""data":[1]}"#),
        "{sent}"
    );
    let refused = run(json!({"source": "/b"}), &event.with_body("<xml/>"));
    assert!(matches!(refused, Err(Error::Invalid(message)) if message.contains("not JSON")));
}

#[test]
fn a_bad_config_is_refused_with_its_field() {
    for (config, expected) in [
        (json!({}), "`source` is missing"),
        (json!({"source": ""}), "`source` is a URI reference"),
        (json!({"source": "a b"}), "`source` is a URI reference"),
        (json!({"source": 7}), "`source` must be a text, not the number `7`"),
        (json!({"source": "/a", "types": {"orders/created": ""}}), "`types.orders/created` is empty"),
        (json!({"source": "/a", "types": []}), "`types` must be an object, not a list"),
        (json!({"source": "/a", "subject": "id"}), "`subject` is a JSON pointer"),
        (json!({"source": "/a", "dataschema": " "}), "`dataschema` is a URI reference"),
        (json!({"source": "/a", "type_prefix": "a\n"}), "`type_prefix`"),
        (json!({"source": "/a", "extensions": {"Region": "eu"}}), "`extensions.Region`: the name"),
        (json!({"source": "/a", "extensions": {"id": "1"}}), "`extensions.id`: the attribute is made by"),
        (
            json!({"source": "/a", "extensions": {"n": 1}}),
            "`extensions.n` must be a text, not the number `1`",
        ),
    ] {
        let error = testing::transform::<CloudEvents>(config.clone()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
