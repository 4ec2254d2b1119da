//! A candidate as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::plugin_candidate::Mode;
use super::plugin_view::UsageView;
use crate::model::{EndpointId, EventId, KeyId, Percent, PluginName, TenantId};
use crate::openapi::Time;
use crate::plugins::{CandidateCounts, CandidateExample, CandidateStatus, Comparison};

/// A version that is tried beside the live one, and what came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginCandidate")]
pub(super) struct CandidateView {
    /// Which plugin.
    #[schemars(with = "PluginName")]
    name: String,
    /// The version that is tried.
    version: String,
    /// The version that is live.
    live_version: Option<String>,
    /// How it is tried.
    mode: Mode,
    /// How many of a hundred events it decides, as a canary.
    percent: Option<u8>,
    /// Whether it is tried.
    state: CandidateState,
    /// Why it is tried no more, in a sentence.
    reason: Option<String>,
    /// Since when it is tried like this or, if it is not, is not.
    #[schemars(with = "Time")]
    since: String,
    /// When it came.
    #[schemars(with = "Time")]
    created_at: String,
    /// The id of the key that asked for it.
    #[schemars(with = "Option<KeyId>")]
    key: Option<String>,
    /// Of its component, in bytes.
    size: u64,
    /// What came of it since the gateway started or its mode changed.
    counts: CountsView,
    /// The last 20 events about which it said something else, or nothing, the newest first.
    examples: Vec<ExampleView>,
    /// What its calls came to; none while it is not loaded.
    usage: Option<UsageView>,
}

/// Whether a candidate is tried.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PluginCandidateState")]
enum CandidateState {
    /// It is.
    Running,
    /// It failed on several events that the live version can judge, and is tried no more.
    Ended,
}

/// Deliveries by what the candidate said.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginCandidateCounts")]
struct CountsView {
    /// As a canary: it decided.
    decided: u64,
    /// In shadow: the receiver would have got the same.
    same: u64,
    /// In shadow: the same JSON in other bytes, or dropped for another reason.
    equivalent: u64,
    /// In shadow: something else.
    different: u64,
    /// It had no answer where the live version had one; a canary's events were decided by that.
    failed: u64,
    /// In shadow: it was not asked, as too many waited.
    skipped: u64,
}

/// An event about which the two versions do not agree.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginCandidateExample")]
struct ExampleView {
    /// When the candidate was asked.
    #[schemars(with = "Time")]
    at: String,
    /// The event.
    #[schemars(with = "EventId")]
    event_id: String,
    /// Whose it is.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// For which endpoint.
    #[schemars(with = "EndpointId")]
    endpoint: String,
    /// What both said, and how that differs.
    comparison: Comparison,
}

impl CandidateView {
    pub(super) fn new(plugin: &PluginName, status: CandidateStatus) -> Self {
        let CandidateStatus { version, live, percent, since, ended, counts, examples, usage } = status;
        let state = if ended.is_some() { CandidateState::Ended } else { CandidateState::Running };
        let since = ended.as_ref().map_or(since, |ended| ended.at);
        Self {
            name: plugin.to_string(),
            version: version.version,
            live_version: live,
            mode: if percent.is_some() { Mode::Canary } else { Mode::Shadow },
            percent: percent.map(Percent::get),
            state,
            reason: ended.map(|ended| ended.reason),
            since: since.to_string(),
            created_at: version.at.to_string(),
            key: version.key.map(|key| key.to_string()),
            size: version.size,
            counts: counts.into(),
            examples: examples.into_iter().map(ExampleView::from).collect(),
            usage: usage.as_ref().map(UsageView::from),
        }
    }
}

impl From<CandidateCounts> for CountsView {
    fn from(counts: CandidateCounts) -> Self {
        let CandidateCounts { decided, same, equivalent, different, failed, skipped } = counts;
        Self { decided, same, equivalent, different, failed, skipped }
    }
}

impl From<CandidateExample> for ExampleView {
    fn from(example: CandidateExample) -> Self {
        let CandidateExample { at, event, tenant, endpoint, comparison } = example;
        Self {
            at: at.to_string(),
            event_id: event.to_string(),
            tenant: tenant.to_string(),
            endpoint: endpoint.to_string(),
            comparison,
        }
    }
}
