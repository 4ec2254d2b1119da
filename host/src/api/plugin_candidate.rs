//! `/v1/plugins/{name}/candidate`: a version that is tried on live events beside the one that is live. For administrators.

pub(super) mod docs;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::plugin_candidate_view::CandidateView;
use super::plugin_install::{InstalledView, view as installed};
use super::plugin_upload;
use super::plugins::{named, no_such_plugin};
use crate::http::{Caller, Json as Input, PathText, Problem, Query, uninterrupted};
use crate::model::{Percent, PluginName};
use crate::plugins::Asked;

/// How a candidate is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PluginCandidateMode")]
pub(super) enum Mode {
    /// It is compared with the live version, and nothing follows.
    Shadow,
    /// It decides a share of the events.
    Canary,
}

/// How a candidate is to be tried: one of the two is enough.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PluginCandidatePatch")]
pub(super) struct Trial {
    /// `shadow` where nobody says; `canary` goes with `percent`.
    mode: Option<Mode>,
    /// How many of a hundred events it decides, as a canary: a whole number from 1 to 100.
    percent: Option<u64>,
}

impl Trial {
    /// The share; none for shadow.
    fn share(self) -> Result<Option<Percent>, &'static str> {
        match (self.mode, self.percent) {
            (None | Some(Mode::Shadow), None) => Ok(None),
            (None | Some(Mode::Canary), Some(share)) => {
                Percent::try_from(share).map(Some).map_err(|_| "`percent` is a whole number from 1 to 100")
            }
            (Some(Mode::Shadow), Some(_)) => Err("`shadow` has no `percent`: it decides nothing"),
            (Some(Mode::Canary), None) => {
                Err("`canary` needs `percent`: how many of a hundred events it decides")
            }
        }
    }
}

/// Uploads a candidate, and waits until it is tried or refused.
pub(super) async fn set(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
    trial: Result<Query<Trial>, Problem>,
    request: Request,
) -> Result<Json<CandidateView>, Problem> {
    caller.must_be_admin()?;
    let Query(trial) = trial?;
    let plugin = named(&name)?;
    let invalid = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let share = trial.share().map_err(invalid)?;
    let files = plugin_upload::read(&api.plugins, request).await?;
    let (plugins, of, asked) = (api.plugins.clone(), plugin.clone(), asked(&caller));
    uninterrupted(async move { plugins.set_candidate(&of, files, share, &asked).await }).await?;
    api.show_candidate(&plugin).await
}

/// How it does.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
) -> Result<Json<CandidateView>, Problem> {
    caller.must_be_admin()?;
    api.show_candidate(&named(&name)?).await
}

/// Has it tried in another way.
pub(super) async fn change(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
    Input(trial): Input<Trial>,
) -> Result<Json<CandidateView>, Problem> {
    caller.must_be_admin()?;
    let plugin = named(&name)?;
    let share = trial.share().map_err(|detail| Problem::invalid("/percent", detail))?;
    let (plugins, of, asked) = (api.plugins.clone(), plugin.clone(), asked(&caller));
    uninterrupted(async move { plugins.change_candidate(&of, share, &asked).await }).await?;
    api.show_candidate(&plugin).await
}

/// Has it go live.
pub(super) async fn promote(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
) -> Result<Json<InstalledView>, Problem> {
    caller.must_be_admin()?;
    let plugin = named(&name)?;
    let (plugins, of, asked) = (api.plugins.clone(), plugin.clone(), asked(&caller));
    let promoted = uninterrupted(async move { plugins.promote(&of, &asked).await }).await?;
    Ok(Json(installed(&plugin, promoted)))
}

/// Gives it up.
pub(super) async fn discard(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
) -> Result<StatusCode, Problem> {
    caller.must_be_admin()?;
    let plugin = named(&name)?;
    let (plugins, asked) = (api.plugins.clone(), asked(&caller));
    uninterrupted(async move { plugins.discard(&plugin, &asked).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn asked(caller: &Caller) -> Asked {
    Asked { by: caller.actor(), dry_run: false }
}

impl Api {
    async fn show_candidate(&self, plugin: &PluginName) -> Result<Json<CandidateView>, Problem> {
        match self.plugins.candidate(plugin).await {
            Some(status) => Ok(Json(CandidateView::new(plugin, status))),
            None if self.plugins.get(plugin).is_none() => Err(no_such_plugin()),
            None => Err(Problem::not_found("the plugin has no candidate: send one with `PUT`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_enough_and_two_must_agree() {
        let share = |mode, percent| Trial { mode, percent }.share().map(|share| share.map(Percent::get));
        assert_eq!(share(None, None), Ok(None));
        assert_eq!(share(Some(Mode::Shadow), None), Ok(None));
        assert_eq!(share(None, Some(10)), Ok(Some(10)));
        assert_eq!(share(Some(Mode::Canary), Some(100)), Ok(Some(100)));
        for (mode, percent) in [
            (Some(Mode::Shadow), Some(10)),
            (Some(Mode::Canary), None),
            (None, Some(0)),
            (None, Some(101)),
            (None, Some(266)),
        ] {
            assert!(share(mode, percent).is_err(), "{mode:?} {percent:?}");
        }
    }
}
