//! Samples: what a plugin makes of an event or a topic, held against what its author says.
//!
//! ```text
//! Sample -> Question -> the calls of an event or topic -> SampleOutcome -> as expected, or a sentence
//! ```
//!
//! - A version goes live only if the samples of its manifest come out as they say ([`run`]).
//! - They run as events do, with the same limits, on instances that serve nothing else. Beside a machine that is busy a call
//!   can run past its deadline once; that is tried again before it is held against the plugin.

mod outcome;
mod question;

use std::sync::Arc;

pub use self::outcome::SampleOutcome;
pub(super) use self::outcome::problem;
pub(super) use self::question::{Question, subject};
use super::engine::Runtime;
use super::error::LoadError;
use super::manifest::Sample;
use super::registry::{Entry, PluginSet};
use super::text::clean;
use super::version::Version;
use crate::model::PluginName;

/// Why a sample does not come out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sample} {problem}: correct the plugin or the sample")]
pub struct SampleError {
    /// Which, as `sample 1 (small orders) of p.toml`.
    sample: String,
    /// As `expects this, but that`.
    problem: String,
}

/// The version after its samples, as if it had never been called.
pub(super) async fn run(runtime: &Arc<Runtime>, version: Version) -> Result<Version, LoadError> {
    if version.manifest.samples.is_empty() {
        return Ok(version);
    }
    let (id, version) = (version.id, Arc::new(version));
    let set = set_of(runtime, &version);
    let checked = check_all(&set, &version).await;
    runtime.pool.forget(id);
    drop(set);
    checked?;
    let version =
        Arc::into_inner(version).ok_or_else(|| LoadError::Sentence("the samples did not end".to_owned()))?;
    version.forget_calls();
    Ok(version)
}

/// A set in which there is nothing but this version.
pub(super) fn set_of(runtime: &Arc<Runtime>, version: &Arc<Version>) -> PluginSet {
    let entry = Entry { active: Some(Arc::clone(version)), ..Entry::default() };
    PluginSet::empty(Arc::clone(runtime)).with(&version.plugin, Some(entry))
}

async fn check_all(set: &PluginSet, version: &Arc<Version>) -> Result<(), SampleError> {
    for (number, sample) in (1..).zip(&version.manifest.samples) {
        let outcome = Question::new(sample, set, version).put(set, version).await;
        if let Some(problem) = problem(&sample.asked, &outcome) {
            return Err(SampleError { sample: title(number, sample, &version.plugin), problem });
        }
    }
    Ok(())
}

/// What a sample of a manifest is called in a sentence.
fn title(number: usize, sample: &Sample, plugin: &PluginName) -> String {
    let name = sample.name.as_ref().map_or_else(String::new, |name| format!(" ({})", clean(name)));
    format!("sample {number}{name} of {plugin}.toml")
}
