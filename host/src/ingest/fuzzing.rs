//! Bodies of producers, for a fuzzer: whatever is taken of them is an event, and whatever is refused is the producer's mistake.

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::de::IgnoredAny;

use super::cloudevent::structured;
use super::many::elements;
use super::{Options, event, ndjson};
use crate::clock::Clock;
use crate::http::{Caller, Keys, Problem, text};
use crate::model::{ApiKey, Scope, UnixMs};
use crate::store::NewEvent;

const NOW: UnixMs = UnixMs(1_710_513_000_000);

/// A body in each form that many or one can have.
pub(crate) fn bodies(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    let Ok(json) = text(&body) else { return };
    let (caller, options) = (caller(), Options::default());
    check(event::read(json, &body, &caller, NOW));
    check(structured::read(json, &body, &caller, NOW));
    for (_, line) in ndjson::lines(json, &options).unwrap_or_default() {
        check(event::read(line, &body, &caller, NOW));
    }
    for (_, element) in elements(json, &options).unwrap_or_default() {
        check(structured::read(element, &body, &caller, NOW));
    }
}

fn check(read: Result<NewEvent, Problem>) {
    match read {
        Ok(event) => {
            let is_json = serde_json::from_slice::<IgnoredAny>(&event.data).is_ok();
            assert!(is_json, "receivers would get what is no JSON");
            assert!(!event.topic.is_reserved(), "only the gateway tells of itself");
        }
        Err(problem) => assert!(problem.status().is_client_error(), "{problem:?}"),
    }
}

fn caller() -> Caller {
    let key = ApiKey::new(NOW, 1, [1; 32]);
    let keys = Keys::new(vec![key.record(Scope::Admin, "", NOW)], Clock::starting_at(NOW));
    let value = format!("Bearer {}", key.reveal()).parse().expect("a key is a header's value");
    keys.open(&HeaderMap::from_iter([(AUTHORIZATION, value)])).expect("the key is known")
}
