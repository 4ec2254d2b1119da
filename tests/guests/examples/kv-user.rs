//! A transform that does with `kv` what `data` says, step by step, and answers with what came of each:
//! `{"steps": [{"op": "set", "key": "a", "value": "1", "ttl": 60}, {"op": "get", "key": "a"}]}` becomes `{"results": [null, "1"]}`. An
//! error is `{"error": ...}`. `key_bytes` and `value_bytes` make long ones, `times` repeats a step, and `"op": "bad-utf-8"` asks
//! for a key that is no text.

#![expect(unsafe_code, reason = "a key that is no text cannot be made otherwise")]

use std::time::Duration;

use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Transform, json, kv};

struct KvUser;

impl Transform for KvUser {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        match kv::get("in-new") {
            Err(kv::Error::Unavailable(_)) => Ok(Self),
            other => Err(format!("`kv` answers without an event: {other:?}")),
        }
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let mut results = Vec::new();
        for n in 0.. {
            let step = Step { event, n };
            let Some(op) = step.text("op") else { break };
            for _ in 0..step.number("times").unwrap_or(1) {
                let result = step.run(&op);
                results.push(result.unwrap_or_else(|error| json!({ "error": error.to_string() })));
            }
        }
        Ok(Outcome::body(json!({ "results": results }).to_string()))
    }
}

struct Step<'a> {
    event: &'a Event<'a>,
    n: usize,
}

impl Step<'_> {
    fn run(&self, op: &str) -> Result<serde_json::Value, kv::Error> {
        let key = match self.number("key_bytes") {
            Some(bytes) => "k".repeat(usize::try_from(bytes).unwrap_or_default()),
            None => self.text("key").unwrap_or_default(),
        };
        let value = match self.number("value_bytes") {
            Some(bytes) => "v".repeat(usize::try_from(bytes).unwrap_or_default()),
            None => self.text("value").unwrap_or_default(),
        };
        let ttl = self.number("ttl").map(|seconds| Duration::from_secs(seconds.cast_unsigned()));
        Ok(match op {
            "get" => json!(kv::get(&key)?.map(|value| String::from_utf8_lossy(&value).into_owned())),
            "set" => json!(kv::set(&key, value.as_bytes(), ttl)?),
            "delete" => json!(kv::delete(&key)?),
            "increment" => json!(kv::increment(&key, self.number("delta").unwrap_or(1), ttl)?),
            "bad-utf-8" => {
                // SAFETY: none; the gateway has to find out.
                let key = unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) };
                json!(kv::get(&key)?)
            }
            other => json!({ "error": format!("no such step: {other}") }),
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        let value = self.event.get(&format!("/steps/{}/{name}", self.n))?;
        value.as_str().map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<i64> {
        let value = self.event.get(&format!("/steps/{}/{name}", self.n))?;
        value.as_f64().map(|number| number as i64)
    }
}

hookway_plugin::export!(transform: KvUser);
