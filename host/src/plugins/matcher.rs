//! Topics in the pattern language of a plugin.
//!
//! A matcher is pure by contract, so each answer is asked for once per version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::error::CallError;
use super::registry::PluginSet;
use super::stats::CallOutcome;
use super::version::Capability;
use crate::model::{Event, PluginName, Topic};

/// A few MiB. Patterns and topics are far fewer in practice; beyond it the cache starts afresh.
const MAX_ANSWERS: usize = 50_000;

/// Answers by version, patterns and topic.
#[derive(Debug, Default)]
pub(super) struct MatchCache(Mutex<Answers>);

type ByPatterns = HashMap<Box<[String]>, HashMap<Topic, bool>>;

#[derive(Debug, Default)]
struct Answers {
    by_version: HashMap<u64, ByPatterns>,
    count: usize,
}

impl PluginSet {
    /// Whether one of the patterns accepts the topic of the event, as the plugin understands them.
    ///
    /// # Errors
    /// When the plugin is not there, is no matcher, refuses the patterns or fails.
    pub async fn topic_matches(
        &self,
        plugin: &PluginName,
        patterns: &[String],
        event: &Event,
    ) -> Result<bool, CallError> {
        let (version, topic) = (self.version(plugin)?, &event.topic);
        if let Some(answer) = self.matches.get(version.id, patterns, topic) {
            return Ok(answer);
        }
        if !version.has(Capability::TopicMatcher) {
            return Err(CallError::NotExported(Capability::TopicMatcher.name()));
        }
        let started = Instant::now();
        let config: Arc<str> = serde_json::Value::from(patterns).to_string().into();
        // Instances serve all tenants with the same patterns, topics do not: each has its own breaker.
        let admission = version
            .breakers
            .admit((&event.tenant, &config), event.key, started)
            .inspect_err(|_| version.stats.count_refused())?;
        let limit = self.runtime.init_on_event();
        let result = version.matches(&self.runtime, patterns, topic, limit).await;
        let outcome = result.as_ref().map_or_else(CallOutcome::from, |_| CallOutcome::Matched);
        let took = started.elapsed();
        version.stats.count(outcome, took);
        if let Err(error) = &result {
            version.stats.note_error(error, &event.tenant, self.runtime.clock.now());
        }
        let (using, call) = ((&event.tenant, &config), (event.key, admission));
        if let Some(change) = version.breakers.report(using, call, result.as_ref().err(), started + took) {
            self.tell(version, change);
        }
        if let Ok(answer) = result {
            self.matches.put(version.id, patterns, topic, answer);
        }
        result
    }
}

impl MatchCache {
    fn get(&self, version: u64, patterns: &[String], topic: &Topic) -> Option<bool> {
        self.answers().by_version.get(&version)?.get(patterns)?.get(topic).copied()
    }

    fn put(&self, version: u64, patterns: &[String], topic: &Topic, answer: bool) {
        let mut answers = self.answers();
        if answers.count >= MAX_ANSWERS {
            *answers = Answers::default();
        }
        answers.count += 1;
        let of_version = answers.by_version.entry(version).or_default();
        of_version.entry(patterns.into()).or_default().insert(topic.clone(), answer);
    }

    /// Drops the answers of a version that is no longer live.
    pub(super) fn forget(&self, version: u64) {
        let mut answers = self.answers();
        let of_version = answers.by_version.remove(&version).unwrap_or_default();
        answers.count -= of_version.values().map(HashMap::len).sum::<usize>().min(answers.count);
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
