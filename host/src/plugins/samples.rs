//! The samples of a manifest: a version goes live only if they come out as its author says.
//!
//! They run as events do, with the same limits, on instances that serve nothing else. Beside a machine that is busy a call can
//! run past its deadline once; that is tried again before it is held against the plugin.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Json;
use url::Url;

use super::engine::Runtime;
use super::error::{CallError, LoadError};
use super::judge::Decision;
use super::manifest::{Expected, ExpectedBody, JsonText, Sample};
use super::registry::{Entry, PluginSet};
use super::text::clean;
use super::version::Version;
use crate::json::{Rehearsal, Subject};
use crate::model::{
    Binding, Endpoint, EndpointId, EnvelopeCache, Event, EventId, EventKey, OnFailure, UnixMs,
};

/// How often a sample may run past its deadline.
const TRIES: u32 = 3;
/// Where the events of samples would go; nothing is sent.
const RECEIVER: &str = "https://receiver.example/";
/// A body in a sentence.
const SHOWN: usize = 200;

/// Why a sample does not come out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sample} expects {expected}, but {got}: correct the plugin or the sample")]
pub struct SampleError {
    /// Which, as `sample 1 (small orders)`.
    sample: String,
    /// What the manifest says.
    expected: String,
    /// What the plugin does.
    got: String,
}

/// The version after its samples, as if it had never been called.
pub(super) async fn run(runtime: &Arc<Runtime>, version: Version) -> Result<Version, LoadError> {
    if version.manifest.samples.is_empty() {
        return Ok(version);
    }
    let (id, version) = (version.id, Arc::new(version));
    let entry = Entry { active: Some(Arc::clone(&version)), ..Entry::default() };
    let set = PluginSet::empty(Arc::clone(runtime)).with(&version.plugin, Some(entry));
    let checked = check_all(&set, &version).await;
    runtime.pool.forget(id);
    drop(set);
    checked?;
    let version =
        Arc::into_inner(version).ok_or_else(|| LoadError::Sentence("the samples did not end".to_owned()))?;
    version.forget_calls();
    Ok(version)
}

async fn check_all(set: &PluginSet, version: &Arc<Version>) -> Result<(), SampleError> {
    for (index, sample) in version.manifest.samples.iter().enumerate() {
        let subject = Subject::rehearsed(Arc::new(event(sample, set)), Rehearsal::Sample);
        let got = match decide(set, version, sample, &subject).await {
            Ok(decision) if is_expected(&sample.expect, &decision, &subject) => continue,
            Ok(decision) => outcome(&decision),
            Err(error) => format!("the plugin cannot be asked: {error}"),
        };
        let number = index + 1;
        let name = sample.name.as_ref().map_or_else(String::new, |name| format!(" ({})", clean(name)));
        let sample_name = format!("sample {number}{name} of {}.toml", version.plugin);
        return Err(SampleError { sample: sample_name, expected: expectation(&sample.expect), got });
    }
    Ok(())
}

/// What the plugin says, as it would to an event.
async fn decide(
    set: &PluginSet,
    version: &Arc<Version>,
    sample: &Sample,
    subject: &Subject,
) -> Result<Decision, CallError> {
    let (runtime, own) = (&set.runtime, sample.config.as_ref().map(JsonText::text));
    let config = version.config(own.as_ref());
    let endpoint = Arc::new(endpoint(version, subject, own, runtime)?);
    let late = CallError::Deadline(version.limits.deadline).to_string();
    let mut tries = 1;
    loop {
        // An interpreter may take as long to start as when it is bound.
        let limit = runtime.options.init_deadline;
        version.check(runtime, &endpoint.tenant, &config, limit).await?;
        let decision = set.judge(subject, &endpoint, &[]).await.decision;
        let is_late = matches!(&decision, Decision::Hold { message, .. } if *message == late);
        if !is_late || tries == TRIES {
            return Ok(decision);
        }
        tries += 1;
    }
}

fn event(sample: &Sample, set: &PluginSet) -> Event {
    let now = set.runtime.clock.now();
    let key = EventKey::new(now, 0);
    let timestamp = sample.event.timestamp;
    Event {
        key,
        id: sample.event.event_id.clone().unwrap_or_else(|| EventId::from(key)),
        tenant: sample.event.tenant.clone().unwrap_or_default(),
        topic: sample.event.topic.clone(),
        timestamp: timestamp.unwrap_or_else(|| time(now)),
        accepted_at: now,
        data: Bytes::copy_from_slice(sample.event.data.text().as_bytes()),
        test_of: None,
        envelope: EnvelopeCache::default(),
    }
}

fn time(at: UnixMs) -> jiff::Timestamp {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
}

/// One with the plugin as its only one. Its failures are seen, whatever the manifest says of them.
fn endpoint(
    version: &Version,
    subject: &Subject,
    config: Option<Arc<str>>,
    runtime: &Runtime,
) -> Result<Endpoint, CallError> {
    let now = runtime.clock.now();
    let url = Url::parse(RECEIVER).map_err(|error| CallError::Malformed(error.to_string()))?;
    let binding = Binding {
        plugin: version.plugin.clone(),
        config,
        topics: Vec::new(),
        on_failure: Some(OnFailure::Hold),
    };
    let blank = Endpoint::new(EndpointId::new(now, 0), subject.event().tenant.clone(), url, now);
    Ok(Endpoint { plugins: vec![binding], ..blank })
}

fn is_expected(expected: &Expected, decision: &Decision, subject: &Subject) -> bool {
    match (expected, decision) {
        (Expected::Deliver, Decision::Send(_))
        | (Expected::Drop, Decision::Drop { .. })
        | (Expected::Unchanged, Decision::Send(None)) => true,
        (Expected::Body(expected), Decision::Send(custom)) => {
            let body =
                custom.as_ref().map_or_else(|| subject.event().envelope(), |custom| custom.body.clone());
            match expected {
                ExpectedBody::Text(text) => body == text.as_bytes(),
                ExpectedBody::Json(json) => {
                    serde_json::from_slice::<Json>(&body).is_ok_and(|body| body == *json)
                }
            }
        }
        _ => false,
    }
}

fn expectation(expected: &Expected) -> String {
    match expected {
        Expected::Deliver => "`deliver`".to_owned(),
        Expected::Drop => "`drop`".to_owned(),
        Expected::Unchanged => "`unchanged`".to_owned(),
        Expected::Body(ExpectedBody::Text(text)) => format!("the body `{}`", shown(text)),
        Expected::Body(ExpectedBody::Json(json)) => format!("the body `{}`", shown(&json.to_string())),
    }
}

fn outcome(decision: &Decision) -> String {
    match decision {
        Decision::Send(None) => "the plugin delivers the event as it is".to_owned(),
        Decision::Send(Some(custom)) => {
            format!("the plugin makes the body `{}`", shown(&String::from_utf8_lossy(&custom.body)))
        }
        Decision::Drop { reason, .. } => format!("the plugin drops the event: {reason}"),
        Decision::Hold { message, .. } | Decision::Refuse { message, .. } => {
            format!("the plugin fails: {message}")
        }
    }
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", clean(&short))
}
