//! The single calls that questions are made of, and how long they take.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Effort, Spread};
use crate::model::{Endpoint, Event, Topic};
use crate::plugins::error::CallError;
use crate::plugins::judge::{Answer, Trial};
use crate::plugins::registry::PluginSet;
use crate::plugins::samples::{Question, subject};
use crate::plugins::version::{Capability, Version};

/// The first calls make instances, and what they need is in no cache yet.
const WARM_UP: usize = 10;
/// However long a call takes.
const AT_LEAST: usize = 5;

/// What a gateway would ask once.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    Event { endpoint: &'a Arc<Endpoint>, event: &'a Arc<Event>, config: &'a Arc<str> },
    Topic { patterns: &'a [String], topic: &'a Topic },
}

/// All calls of a question.
pub(super) fn calls(question: &Question) -> Vec<Call<'_>> {
    match question {
        Question::Event { endpoint, event, config } => vec![Call::Event { endpoint, event, config }],
        Question::Topics { patterns, topics } => {
            topics.iter().map(|topic| Call::Topic { patterns, topic }).collect()
        }
        Question::Nothing(_) => Vec::new(),
    }
}

/// How long these calls take, one after the other and again.
pub(super) async fn time(
    set: &PluginSet,
    version: &Version,
    calls: &[Call<'_>],
    effort: Effort,
) -> Spread<Duration> {
    for call in calls.iter().cycle().take(if calls.is_empty() { 0 } else { WARM_UP }) {
        call.make(set, version).await;
    }
    let mut times = Vec::new();
    let ends = Instant::now() + effort.time;
    for call in calls.iter().cycle().take(effort.calls) {
        let began = Instant::now();
        call.make(set, version).await;
        let ended = Instant::now();
        times.push(ended - began);
        if ended >= ends && times.len() >= AT_LEAST {
            break;
        }
    }
    Spread::of(times)
}

impl Call<'_> {
    /// As a gateway makes it; what comes of it is of no interest.
    async fn make(&self, set: &PluginSet, version: &Version) {
        match self {
            Self::Event { endpoint, event, .. } => drop(set.judge(&subject(event), endpoint, &[]).await),
            // Beside the cache of answers, which would answer from the second time on.
            Self::Topic { .. } => drop(self.answer(set, version).await),
        }
    }

    /// Whether there is an answer, whatever breaker may be open.
    pub(super) async fn answer(&self, set: &PluginSet, version: &Version) -> Result<(), CallError> {
        let runtime = &set.runtime;
        match self {
            Self::Event { endpoint, event, config } => {
                let subject = subject(event);
                let mut custom = None;
                for role in [Capability::Filter, Capability::Transform] {
                    if version.has(role) {
                        let trial = Trial::new(set, &subject, endpoint, custom.take());
                        match trial.call(version, config, role).await? {
                            Answer::Drop(_) => break,
                            Answer::Replace(request) => custom = Some(Arc::new(request)),
                            Answer::Pass | Answer::Unchanged => {}
                        }
                    }
                }
                Ok(())
            }
            Self::Topic { patterns, topic } => {
                let limit = runtime.options.init_deadline;
                version.matches(runtime, patterns, topic, limit).await.map(drop)
            }
        }
    }
}
