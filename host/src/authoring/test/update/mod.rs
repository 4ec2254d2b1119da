//! `--update`: what came out becomes what is expected, and everything else in the files stays as it is.

mod in_json;
mod in_toml;

use std::path::Path;

use serde_json::Value as Json;

use super::Ran;
use super::samples::Place;
use crate::authoring::Error;
use crate::authoring::project::Project;
use crate::model::Topic;
use crate::plugins::manifest::{Asked, Expected, ExpectedBody};
use crate::plugins::{Decision, SampleOutcome};

/// What a sample is to say from now on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum New {
    /// `expect`, as one word.
    Word(&'static str),
    /// `expect` with a body: the very bytes.
    Text(String),
    /// `expect` with a body: a value.
    Value(Json),
    /// `accepts` and `rejects`.
    Topics { accepts: Vec<Topic>, rejects: Vec<Topic> },
}

/// Changes the files of the samples that are updated.
///
/// # Errors
/// In a sentence: a file cannot be changed.
pub(super) fn write(ran: &mut [Ran], project: &Project) -> Result<(), Error> {
    let mut of_manifest = Vec::new();
    for ran in ran.iter_mut().filter(|ran| ran.is_updated) {
        let Some(new) = New::of(ran) else { continue };
        match &ran.test.place {
            Place::Manifest(number) => of_manifest.push((*number, new)),
            Place::File(path) => change(path, |text| in_json::with(text, &new))?,
        }
    }
    match &project.manifest {
        Some(path) if !of_manifest.is_empty() => change(path, |text| in_toml::with(text, &of_manifest)),
        _ => Ok(()),
    }
}

fn change(path: &Path, change: impl FnOnce(&str) -> Result<String, String>) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let text = change(&text).map_err(Error::refused(path))?;
    std::fs::write(path, text).map_err(Error::file(path))
}

impl New {
    /// What came out of a sample; none if that is nothing to expect.
    fn of(ran: &Ran) -> Option<Self> {
        let wants_text = matches!(
            &ran.test.sample.asked,
            Asked::Event { expect: Expected::Body(ExpectedBody::Text(_)), .. }
        );
        match &ran.tried.outcome {
            SampleOutcome::Judged { decision: Decision::Send(None), .. } => {
                Some(Self::Word(if ran.is_of_transform { "unchanged" } else { "deliver" }))
            }
            SampleOutcome::Judged { decision: Decision::Send(Some(custom)), .. } => {
                let value = serde_json::from_slice(&custom.body).ok().filter(|_| !wants_text);
                let text = || std::str::from_utf8(&custom.body).map(|text| Self::Text(text.to_owned())).ok();
                // Bytes that are no text cannot be written.
                value.map(Self::Value).or_else(text)
            }
            SampleOutcome::Judged { decision: Decision::Drop { .. }, .. } => Some(Self::Word("drop")),
            SampleOutcome::Matched { accepts, rejects } => {
                Some(Self::Topics { accepts: accepts.clone(), rejects: rejects.clone() })
            }
            SampleOutcome::Judged { .. } | SampleOutcome::Unanswered(_) => None,
        }
    }
}
