//! `PUT` and `DELETE /v1/plugins/{name}`, and the versions of a plugin. Plugins belong to the whole gateway, so only administrators
//! change them.

pub(super) mod docs;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::dry_run::DryRun;
use super::page::Page;
use super::plugin_upload;
use super::plugin_version_view::VersionView;
use super::plugins::{named, no_such_plugin};
use crate::http::{Caller, PathText, Problem, Query, uninterrupted};
use crate::model::PluginName;
use crate::plugins::{Asked, InstallError, Installed};

#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// The plugin is deleted though it is in use. What it is needed for waits, or goes on as its `on_failure` says.
    force: bool,
}

/// What is live after a plugin was installed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginInstalled")]
pub(super) struct InstalledView {
    /// Which plugin.
    #[schemars(with = "PluginName")]
    name: String,
    /// The version that is live.
    version: String,
    /// The version that was live before; none if the plugin is new.
    previous: Option<String>,
    /// Whether anything changed: not when this very version was live already.
    changed: bool,
}

/// Uploads a version, and waits until it is live or refused.
pub(super) async fn install(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
    dry_run: Result<Query<DryRun>, Problem>,
    request: Request,
) -> Result<(StatusCode, Json<InstalledView>), Problem> {
    caller.must_be_admin()?;
    let Query(dry_run) = dry_run?;
    let plugin = new_name(&name)?;
    let files = plugin_upload::read(&api.plugins, request).await?;
    let asked = asked(&caller, dry_run);
    let (plugins, of) = (api.plugins.clone(), plugin.clone());
    let installed = uninterrupted(async move { plugins.install(&of, files, &asked).await }).await?;
    let is_new = installed.previous.is_none();
    let status = if is_new && !dry_run.is_asked() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(view(&plugin, installed))))
}

/// The versions that went live, the one that did last first.
pub(super) async fn versions(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
) -> Result<Json<Page<VersionView>>, Problem> {
    caller.must_be_admin()?;
    let plugin = named(&name)?;
    let versions = api.plugins.versions(&plugin).await.ok_or_else(no_such_plugin)?;
    let live = api.plugins.get(&plugin).and_then(|status| status.version);
    let view = |version| VersionView::new(version, live.as_deref());
    Ok(Json(Page::whole(versions.into_iter().map(view).collect())))
}

/// Has a version that was live before go live again.
pub(super) async fn roll_back(
    State(api): State<Api>,
    caller: Caller,
    PathText((name, version)): PathText<(String, String)>,
    dry_run: Result<Query<DryRun>, Problem>,
) -> Result<Json<InstalledView>, Problem> {
    caller.must_be_admin()?;
    let Query(dry_run) = dry_run?;
    let plugin = named(&name)?;
    let asked = asked(&caller, dry_run);
    let (plugins, of) = (api.plugins.clone(), plugin.clone());
    let installed = uninterrupted(async move { plugins.roll_back(&of, &version, &asked).await }).await?;
    Ok(Json(view(&plugin, installed)))
}

/// Deletes a plugin and its history.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
    params: Result<Query<Params>, Problem>,
) -> Result<StatusCode, Problem> {
    caller.must_be_admin()?;
    let Query(params) = params?;
    let plugin = named(&name)?;
    if !params.force
        && let Some(users) = api.users_of(&plugin)
    {
        let detail = format!(
            "the plugin `{plugin}` is used by {users}: take it out there first, or delete it all the same with `?force=true`"
        );
        return Err(Problem::conflict("plugin_in_use", detail));
    }
    let (plugins, actor) = (api.plugins.clone(), caller.actor());
    uninterrupted(async move { plugins.remove(&plugin, actor).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The name of a plugin that may be new: whoever sends one is told what is wrong with it.
fn new_name(name: &str) -> Result<PluginName, Problem> {
    name.parse().map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_plugin_name", format!("{error}"))
    })
}

fn asked(caller: &Caller, dry_run: DryRun) -> Asked {
    Asked { by: caller.actor(), dry_run: dry_run.is_asked() }
}

pub(super) fn view(plugin: &PluginName, installed: Installed) -> InstalledView {
    let Installed { version, previous, changed } = installed;
    InstalledView { name: plugin.to_string(), version, previous, changed }
}

impl From<InstallError> for Problem {
    fn from(error: InstallError) -> Self {
        match &error {
            InstallError::Refused(_) | InstallError::NoComponent(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", error.to_string())
            }
            InstallError::TooLarge(_) => Self::too_large(error.to_string()),
            InstallError::NoPlugin => no_such_plugin(),
            InstallError::NotLive
            | InstallError::NotLoaded
            | InstallError::IsLive
            | InstallError::NotComparable
            | InstallError::AsksOthers => Self::conflict("not_a_candidate", error.to_string()),
            InstallError::NoCandidate | InstallError::NoVersion | InstallError::Lost => {
                Self::not_found(error.to_string())
            }
            InstallError::Directory { .. } => Self::conflict("plugins_dir_not_writable", error.to_string()),
            InstallError::Records(_) => Self::unavailable(&error),
            InstallError::Keeping(_) => Self::internal(&error),
        }
    }
}
