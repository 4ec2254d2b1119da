//! A sample as the calls that an event or a topic makes.

use std::sync::Arc;

use bytes::Bytes;

use super::SampleOutcome;
use crate::json::{Rehearsal, Subject};
use crate::model::{
    Binding, Endpoint, EndpointId, EnvelopeCache, Event, EventId, EventKey, OnFailure, TenantId, Topic,
    UnixMs,
};
use crate::plugins::engine::Runtime;
use crate::plugins::error::CallError;
use crate::plugins::judge::Decision;
use crate::plugins::manifest::{Asked, JsonText, Sample, SampleEvent};
use crate::plugins::registry::PluginSet;
use crate::plugins::version::{Capability, Version};

/// How often a sample may run past its deadline.
const TRIES: u32 = 3;
/// Where the events of samples would go; nothing is sent.
const RECEIVER: &str = "https://receiver.example/";

/// What a plugin is asked.
pub(in crate::plugins) enum Question {
    /// About an event.
    Event {
        /// On its way to an endpoint with the plugin as its only one.
        endpoint: Arc<Endpoint>,
        /// What it is asked about.
        event: Arc<Event>,
        /// What `init` gets.
        config: Arc<str>,
    },
    /// About topics.
    Topics {
        /// In its language.
        patterns: Vec<String>,
        /// Those of the sample, accepted or not.
        topics: Vec<Topic>,
    },
    /// About what it has nothing to say to.
    Nothing(String),
}

impl Question {
    /// Its failures are seen, whatever the manifest says of them.
    pub(in crate::plugins) fn new(sample: &Sample, set: &PluginSet, version: &Version) -> Self {
        match &sample.asked {
            Asked::Event { .. } if !is_bindable(version) => Self::Nothing(
                "it exports neither `filter` nor `transform`, so it has nothing to say to an event"
                    .to_owned(),
            ),
            Asked::Event { event, config, .. } => {
                let own = config.as_ref().map(JsonText::text);
                let event = Arc::new(made(event, &set.runtime));
                match endpoint(version, event.tenant.clone(), own.clone(), &set.runtime) {
                    Ok(endpoint) => Self::Event {
                        endpoint: Arc::new(endpoint),
                        event,
                        config: version.config(own.as_ref()),
                    },
                    Err(error) => Self::Nothing(error.to_string()),
                }
            }
            Asked::Topics { .. } if !version.has(Capability::TopicMatcher) => Self::Nothing(
                "it does not export `topic-matcher`, so it has nothing to say to topics".to_owned(),
            ),
            Asked::Topics { patterns, accepts, rejects } => {
                let topics = accepts.iter().chain(rejects).cloned().collect();
                Self::Topics { patterns: patterns.clone(), topics }
            }
        }
    }

    /// Why there is nothing to ask; none if there is.
    pub(in crate::plugins) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Nothing(reason) => Some(reason),
            Self::Event { .. } | Self::Topics { .. } => None,
        }
    }

    /// What the plugin says.
    pub(in crate::plugins) async fn put(&self, set: &PluginSet, version: &Version) -> SampleOutcome {
        let answered = match self {
            Self::Event { endpoint, event, config } => judged(set, version, endpoint, event, config).await,
            Self::Topics { patterns, topics } => matched(&set.runtime, version, patterns, topics).await,
            Self::Nothing(reason) => return SampleOutcome::Unanswered(reason.clone()),
        };
        answered.unwrap_or_else(|error| SampleOutcome::Unanswered(error.to_string()))
    }
}

/// The event as nobody has looked into it yet.
pub(in crate::plugins) fn subject(event: &Arc<Event>) -> Subject {
    Subject::rehearsed(Arc::clone(event), Rehearsal::Sample)
}

fn is_bindable(version: &Version) -> bool {
    version.has(Capability::Filter) || version.has(Capability::Transform)
}

/// As the plugin would judge the event on its way to the endpoint.
async fn judged(
    set: &PluginSet,
    version: &Version,
    endpoint: &Arc<Endpoint>,
    event: &Arc<Event>,
    config: &Arc<str>,
) -> Result<SampleOutcome, CallError> {
    let late = CallError::Deadline(version.limits.deadline).to_string();
    let mut tries = 1;
    loop {
        // An interpreter may take as long to start as when it is bound.
        let limit = set.runtime.options.init_deadline;
        version.check(&set.runtime, &endpoint.tenant, config, limit).await?;
        let decision = set.judge(&subject(event), endpoint, &[]).await.decision;
        let is_late = matches!(&decision, Decision::Hold { message, .. } if *message == late);
        if !is_late || tries == TRIES {
            return Ok(SampleOutcome::Judged { decision, envelope: event.envelope() });
        }
        tries += 1;
    }
}

/// As the plugin would match an event of each topic.
async fn matched(
    runtime: &Runtime,
    version: &Version,
    patterns: &[String],
    topics: &[Topic],
) -> Result<SampleOutcome, CallError> {
    let (mut accepts, mut rejects) = (Vec::new(), Vec::new());
    for topic in topics {
        let mut tries = 1;
        let is_accepted = loop {
            match version.matches(runtime, patterns, topic, runtime.options.init_deadline).await {
                Err(CallError::Deadline(_)) if tries < TRIES => tries += 1,
                answer => break answer?,
            }
        };
        if is_accepted { accepts.push(topic.clone()) } else { rejects.push(topic.clone()) }
    }
    Ok(SampleOutcome::Matched { accepts, rejects })
}

fn made(sample: &SampleEvent, runtime: &Runtime) -> Event {
    let now = runtime.clock.now();
    let key = EventKey::new(now, 0);
    Event {
        key,
        id: sample.event_id.clone().unwrap_or_else(|| EventId::from(key)),
        tenant: sample.tenant.clone().unwrap_or_default(),
        topic: sample.topic.clone(),
        timestamp: sample.timestamp.unwrap_or_else(|| time(now)),
        accepted_at: now,
        data: Bytes::copy_from_slice(sample.data.text().as_bytes()),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    }
}

fn time(at: UnixMs) -> jiff::Timestamp {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
}

fn endpoint(
    version: &Version,
    tenant: TenantId,
    config: Option<Arc<str>>,
    runtime: &Runtime,
) -> Result<Endpoint, CallError> {
    let now = runtime.clock.now();
    let url = url::Url::parse(RECEIVER).map_err(|error| CallError::Malformed(error.to_string()))?;
    let binding = Binding {
        plugin: version.plugin.clone(),
        config,
        topics: Vec::new(),
        on_failure: Some(OnFailure::Hold),
    };
    let blank = Endpoint::new(EndpointId::new(now, 0), tenant, url, now);
    Ok(Endpoint { plugins: vec![binding], ..blank })
}
