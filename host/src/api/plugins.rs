//! `GET /v1/plugins`: what is loaded, and why what is not loaded is not.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;

use super::Api;
use super::page::Page;
use super::plugin_view::PluginView;
use crate::http::{Caller, PathText, Problem};
use crate::model::PluginName;

/// All of them.
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<PluginView>>, Problem> {
    caller.may_manage()?;
    Ok(Json(Page::whole(api.plugins.list().into_iter().map(PluginView::from).collect())))
}

/// One of them.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
) -> Result<Json<PluginView>, Problem> {
    caller.may_manage()?;
    let status = name.parse::<PluginName>().ok().and_then(|name| api.plugins.get(&name));
    status.map(|status| Json(status.into())).ok_or_else(|| {
        Problem::not_found("there is no plugin of this name; put its `.wasm` file into the plugin directory")
    })
}
