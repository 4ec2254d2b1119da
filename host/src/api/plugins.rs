//! `GET /v1/plugins`: what is loaded, and why what is not loaded is not.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;

use super::Api;
use super::page::Page;
use super::plugin_view::PluginView;
use crate::http::{Caller, PathText, Problem};
use crate::model::PluginName;
use crate::plugins::PluginStatus;

/// All of them.
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<PluginView>>, Problem> {
    caller.may_manage()?;
    let plugins = api.plugins.list().into_iter().map(|status| seen_by(&caller, status).into());
    Ok(Json(Page::whole(plugins.collect())))
}

/// One of them.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
) -> Result<Json<PluginView>, Problem> {
    caller.may_manage()?;
    let status = api.plugins.get(&named(&name)?).ok_or_else(no_such_plugin)?;
    Ok(Json(seen_by(&caller, status).into()))
}

/// A name that a plugin may have; there is none of any other.
pub(super) fn named(name: &str) -> Result<PluginName, Problem> {
    name.parse().map_err(|_| no_such_plugin())
}

pub(super) fn no_such_plugin() -> Problem {
    Problem::not_found("there is no plugin of this name; put its `.wasm` file into the plugin directory")
}

/// What the holder of a key may see of a plugin.
fn seen_by(caller: &Caller, status: PluginStatus) -> PluginStatus {
    match caller.confined_to() {
        Some(tenant) => status.seen_by(tenant),
        None => status,
    }
}
