//! What is told, and that the documentation says the same.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::*;
use crate::model::{EnvelopeCache, EventKey, HmacKey, Secret, SigningKey};

const AT: UnixMs = UnixMs(1_710_513_000_000);

fn endpoint() -> Endpoint {
    let url = "https://user:planted@example.com/hook?token=planted#planted".parse().unwrap();
    let id = "ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X".parse().unwrap();
    Endpoint::new(id, "acme".parse().unwrap(), url, AT)
}

fn with_secrets(expiries: &[Option<UnixMs>]) -> Endpoint {
    let secret = |expires_at| Secret {
        id: SecretId::new(AT, 1),
        key: SigningKey::Hmac(HmacKey::new(vec![1; 32]).unwrap()),
        created_at: AT,
        expires_at,
    };
    Endpoint { secrets: expiries.iter().copied().map(secret).collect(), ..endpoint() }
}

fn event(topic: &str) -> Event {
    let key: EventKey = "evt_01JDB6ZK3V8M2Q4R5S6T7V8W9X".parse().unwrap();
    Event {
        key,
        id: key.into(),
        tenant: "acme".parse().unwrap(),
        topic: topic.parse().unwrap(),
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        accepted_at: AT,
        data: Bytes::new(),
        envelope: EnvelopeCache::default(),
        test_of: None,
        trace: None,
    }
}

fn answered(status: u16) -> AttemptOutcome {
    AttemptOutcome::Answered { status, headers: Vec::new(), body: Bytes::new(), truncated: false }
}

fn given_up<'a>(event: &'a Event, endpoint: &'a Endpoint, reason: &'a FailReason) -> GivenUp<'a> {
    let delivery = DeliveryId { event: event.key, ordinal: 0 };
    GivenUp { event, delivery, endpoint, reason, attempts: 0, last: None }
}

fn breaker() -> PluginBreaker<'static> {
    static NAMES: LazyLock<(PluginName, TenantId)> =
        LazyLock::new(|| ("cel-filter".parse().unwrap(), "acme".parse().unwrap()));
    let (plugin, tenant) = &*NAMES;
    let message = "it ran past its deadline of 50 ms";
    PluginBreaker { plugin, version: "9f86d081884c7d65", tenant, since: AT, message }
}

/// The examples of `docs/api.md`, by topic.
fn documented() -> BTreeMap<String, Value> {
    let page = include_str!("../../../../docs/api.md");
    let rows = page.lines().filter_map(|line| {
        let (topic, rest) = line.strip_prefix("| `hookway.")?.split_once("` |")?;
        let example = rest.rsplit_once("` |")?.0.rsplit_once(" `")?.1;
        Some((format!("hookway.{topic}"), serde_json::from_str(example).expect(topic)))
    });
    rows.collect()
}

#[test]
fn the_examples_in_the_documentation_are_what_is_sent() {
    let endpoint = endpoint();
    let expiring = with_secrets(&[Some(AT)]);
    let stop = |reason| Stop { endpoint: &endpoint, reason, since: AT };
    let secret = "sec_01JDB6ZK3V8M2Q4R5S6T7V8W9X".parse().unwrap();
    let (event, last) = (event("orders/created"), answered(503));
    let exhausted =
        GivenUp { attempts: 18, last: Some(&last), ..given_up(&event, &endpoint, &FailReason::Exhausted) };
    let notices = [
        Notice::EndpointFailed(stop(InactiveReason::Failing)),
        Notice::EndpointDeactivated(stop(InactiveReason::Gone)),
        Notice::EndpointActivated(stop(InactiveReason::Deactivated)),
        Notice::SecretExpiring { endpoint: &expiring, secret, expires_at: AT },
        Notice::DeliveryExhausted(exhausted),
        Notice::PluginDegraded {
            plugin: &"cel-filter".parse().unwrap(),
            version: "9f86d081884c7d65",
            live: Some("2c26b46b68ffc68f"),
            message: "the file is empty",
        },
        Notice::PluginRolledBack {
            plugin: &"cel-filter".parse().unwrap(),
            version: "9f86d081884c7d65",
            live: Some("2c26b46b68ffc68f"),
            message: "it ran past its deadline of 50 ms",
        },
        Notice::BreakerOpened(breaker()),
        Notice::BreakerClosed(breaker()),
    ];
    let sent: BTreeMap<_, _> =
        notices.iter().map(|notice| (notice.topic().to_owned(), notice.data())).collect();
    assert_eq!(sent, documented());
    for notice in &notices {
        let event = notice.to_event("ops".parse().unwrap(), AT);
        assert!(event.topic.is_reserved() && event.id.is_none() && event.tenant.as_str() == "ops");
        assert!(!String::from_utf8_lossy(&event.data).contains("planted"), "{event:?}");
    }
}

#[test]
fn a_change_of_activity_is_told_and_no_other() {
    let active = endpoint();
    let inactive = |reason| Endpoint { activity: Activity::Inactive { since: AT, reason }, ..endpoint() };
    let by_hand = inactive(InactiveReason::Deactivated);
    let gone = inactive(InactiveReason::Gone);
    let failing = inactive(InactiveReason::Failing);
    let renamed = Endpoint { description: "new".to_owned(), ..endpoint() };
    let told = |before, after| {
        let notices = Notice::of_change(before, after);
        notices.iter().map(|notice| format!("{} {}", notice.topic(), notice.data()["reason"])).collect()
    };
    let nothing: Vec<String> = Vec::new();
    let [failed, deactivated, activated] =
        ["failed", "deactivated", "activated"].map(|what| format!("hookway.endpoint.{what}"));
    for (before, after, expected) in [
        (&active, &renamed, nothing.clone()),
        (&gone, &failing, nothing),
        (&active, &by_hand, vec![format!(r#"{deactivated} "deactivated""#)]),
        (&active, &gone, vec![format!(r#"{failed} "gone""#), format!(r#"{deactivated} "gone""#)]),
        (&active, &failing, vec![format!(r#"{failed} "failing""#), format!(r#"{deactivated} "failing""#)]),
        (&failing, &active, vec![format!(r#"{activated} "failing""#)]),
    ] {
        let told: Vec<String> = told(before, after);
        assert_eq!(told, expected);
    }
}

#[test]
fn each_way_to_give_up_has_its_reason_and_its_sentence() {
    let plugin: PluginName = "jq-transform".parse().unwrap();
    let message = || "no such field".to_owned();
    let (event, endpoint) = (event("orders/created"), endpoint());
    for (reason, word, named) in [
        (FailReason::PluginRefused { plugin: plugin.clone(), message: message() }, "plugin_refused", true),
        (FailReason::PluginFailed { plugin, message: message() }, "plugin_failed", true),
        (FailReason::FilterUnreadable { message: message() }, "filter_unreadable", false),
    ] {
        let data = Notice::DeliveryExhausted(given_up(&event, &endpoint, &reason)).data();
        assert_eq!((&data["reason"], &data["message"]), (&json!(word), &json!(message())));
        assert_eq!(data["plugin"] == "jq-transform", named, "{data}");
        assert_eq!((&data["attempts"], &data["last_status"]), (&json!(0), &Value::Null));
    }
}

#[test]
fn a_secret_is_the_last_one_if_none_signs_after_it() {
    for (others, is_last) in [
        (vec![Some(AT)], true),
        (vec![Some(AT), Some(AT)], true),
        (vec![Some(AT), None], false),
        (vec![Some(AT), Some(UnixMs(AT.0 + 1))], false),
    ] {
        let endpoint = with_secrets(&others);
        let notice =
            Notice::SecretExpiring { endpoint: &endpoint, secret: SecretId::new(AT, 1), expires_at: AT };
        assert_eq!(notice.data()["is_last"], is_last, "{others:?}");
    }
}

#[test]
fn what_an_operational_event_causes_is_known() {
    let endpoint = endpoint();
    for (topic, caused) in [("hookway.endpoint.failed", true), ("orders/created", false)] {
        let event = event(topic);
        let notice = Notice::DeliveryExhausted(given_up(&event, &endpoint, &FailReason::Exhausted));
        assert_eq!(notice.is_caused_by_one(), caused, "{topic}");
    }
}
