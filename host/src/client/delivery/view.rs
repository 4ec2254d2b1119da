//! A delivery as the API gives it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::client::line::Tone;
use crate::client::output::Row;

/// A row of the log.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::client) struct Delivery {
    pub(in crate::client) id: String,
    pub(in crate::client) event_id: String,
    pub(in crate::client) topic: String,
    pub(in crate::client) tenant: String,
    pub(in crate::client) endpoint_id: String,
    pub(in crate::client) status: String,
    pub(in crate::client) reason: Option<String>,
    pub(in crate::client) attempts: u16,
    pub(in crate::client) created_at: String,
    pub(in crate::client) due_at: Option<String>,
    pub(in crate::client) finished_at: Option<String>,
    #[serde(default)]
    pub(in crate::client) plugins: Vec<PluginRun>,
    pub(in crate::client) last_status: Option<u16>,
    /// Why the last attempt got no complete answer; in lists only.
    pub(super) last_error: Option<AttemptError>,
}

/// What one plugin said.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::client) struct PluginRun {
    pub(super) plugin: String,
    pub(super) version: String,
    pub(super) outcome: String,
    pub(super) detail: Option<String>,
    pub(super) duration_us: u64,
}

/// A delivery with all that is known about it.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Record {
    #[serde(flatten)]
    pub(in crate::client) delivery: Delivery,
    pub(in crate::client) attempt_log: Vec<Attempt>,
    pub(super) request_body: String,
    pub(super) request_body_encoding: String,
}

/// One POST.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Attempt {
    pub(super) number: u16,
    pub(super) started_at: String,
    pub(super) duration_ms: u64,
    pub(super) status: Option<u16>,
    pub(super) error: Option<AttemptError>,
    pub(super) response: Option<Response>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct AttemptError {
    pub(super) class: String,
    pub(super) message: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Response {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    pub(super) body_encoding: String,
    pub(super) truncated: bool,
}

impl Row for Delivery {
    const HEAD: &'static [&'static str] =
        &["ID", "CREATED", "STATUS", "ATTEMPTS", "LAST", "TOPIC", "EVENT", "ENDPOINT"];

    fn cells(self) -> Vec<String> {
        vec![
            self.id,
            self.created_at,
            self.status,
            self.attempts.to_string(),
            self.last_status.map(|status| status.to_string()).unwrap_or_default(),
            self.topic,
            self.event_id,
            self.endpoint_id,
        ]
    }
}

impl Delivery {
    /// What came of the last attempt, in a few words.
    pub(super) fn last_answer(&self) -> Option<String> {
        match (&self.last_error, self.last_status) {
            (Some(error), _) => Some(class_in_words(&error.class).to_owned()),
            (None, Some(status)) => Some(format!("answered {status}")),
            (None, None) => None,
        }
    }

    /// Whether a transform made another body.
    pub(super) fn is_transformed(&self) -> bool {
        self.plugins.iter().any(|run| run.outcome == "replaced")
    }
}

impl Attempt {
    /// What came of it, in a few words: `answered 500`, or the kind of failure.
    pub(in crate::client) fn in_words(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), Some(status)) => format!("{}, after status {status}", class_in_words(&error.class)),
            (Some(error), None) => class_in_words(&error.class).to_owned(),
            (None, Some(status)) => format!("answered {status}"),
            (None, None) => "no answer".to_owned(),
        }
    }

    /// When it began.
    pub(in crate::client) fn started_at(&self) -> &str {
        &self.started_at
    }

    /// What the error said about it, if there was one.
    pub(in crate::client) fn message(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.message.as_str())
    }

    pub(super) fn tone(&self) -> Tone {
        match self.status {
            Some(200..=299) if self.error.is_none() => Tone::Good,
            Some(_) | None => Tone::Bad,
        }
    }
}

/// The kinds of docs/api.md; a kind of a newer gateway stands for itself.
fn class_in_words(class: &str) -> &str {
    match class {
        "forbidden" => "not allowed to go to this address",
        "dns" => "the name of the host did not resolve",
        "connect" => "the connection was refused, or the host cannot be reached",
        "connect_timeout" => "no connection in time",
        "tls" => "the TLS handshake failed",
        "tls_timeout" => "no TLS session in time",
        "protocol" => "the connection broke, or the answer was not HTTP",
        "response_timeout" => "no answer in time",
        "body_timeout" => "the answer did not end in time",
        other => other,
    }
}

/// How a state is meant.
pub(in crate::client) fn state_tone(state: &str) -> Tone {
    match state {
        "delivered" => Tone::Good,
        "failed" => Tone::Bad,
        "retrying" | "held" => Tone::Warning,
        "filtered" | "cancelled" => Tone::Faint,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AttemptErrorClass;

    #[test]
    fn every_error_class_of_the_gateway_has_its_words() {
        use AttemptErrorClass as Class;
        for class in [
            Class::Forbidden,
            Class::Dns,
            Class::Connect,
            Class::ConnectTimeout,
            Class::Tls,
            Class::TlsTimeout,
            Class::Protocol,
            Class::ResponseTimeout,
            Class::BodyTimeout,
        ] {
            let name = serde_json::to_value(class).unwrap();
            let words = class_in_words(name.as_str().unwrap());
            assert!(words.contains(' '), "{name}");
        }
        assert_eq!(class_in_words("quantum"), "quantum");
    }
}
