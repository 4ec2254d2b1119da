//! What two versions do to the headers of one request.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::CustomRequest;

/// What goes out where no transform says anything of it.
const DEFAULT_TYPE: &str = "application/json";

/// A header that two versions leave in another state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginHeaderDifference")]
pub struct HeaderDifference {
    /// Its name in lower case.
    pub name: String,
    /// What the live version does to it.
    pub live: HeaderEffect,
    /// What the candidate does to it.
    pub candidate: HeaderEffect,
}

/// What a version does to a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PluginHeaderEffect")]
pub enum HeaderEffect {
    /// Nothing.
    Untouched,
    /// It takes it out.
    Removed,
    /// It sets it to this; what is not UTF-8 is shown as `�`.
    Set(String),
}

/// What is done, by name.
type Effects<'a> = BTreeMap<&'a str, Effect<'a>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect<'a> {
    Removed,
    Set(&'a [u8]),
}

pub(super) fn compare(
    live: Option<&CustomRequest>,
    candidate: Option<&CustomRequest>,
) -> Vec<HeaderDifference> {
    let (live, candidate) = (effects(live), effects(candidate));
    let mut names: Vec<_> = live.keys().chain(candidate.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| live.get(name) != candidate.get(name));
    let told = |name: &str, effects: &Effects<'_>| effects.get(name).copied().into();
    let difference = |name: &str| HeaderDifference {
        name: name.to_owned(),
        live: told(name, &live),
        candidate: told(name, &candidate),
    };
    names.into_iter().map(difference).collect()
}

fn effects(request: Option<&CustomRequest>) -> Effects<'_> {
    let mut effects = Effects::new();
    let content_type = request.and_then(|request| request.content_type.as_deref()).unwrap_or(DEFAULT_TYPE);
    effects.insert("content-type", Effect::Set(content_type.as_bytes()));
    let Some(request) = request else { return effects };
    effects.extend(request.remove_headers.iter().map(|name| (name.as_str(), Effect::Removed)));
    effects.extend(request.set_headers.iter().map(|header| (&*header.name, Effect::Set(&header.value))));
    effects
}

impl From<Option<Effect<'_>>> for HeaderEffect {
    fn from(effect: Option<Effect<'_>>) -> Self {
        match effect {
            None => Self::Untouched,
            Some(Effect::Removed) => Self::Removed,
            Some(Effect::Set(value)) => Self::Set(String::from_utf8_lossy(value).into_owned()),
        }
    }
}
