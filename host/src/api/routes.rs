//! The routes of the management API, as one table.

use axum::routing::{delete, get, patch, post, put};
use http::Method;

use super::{
    Api, activity, audit, backtest, backup, deliveries, endpoints, event_list, events, health, keys, metrics,
    plugin_candidate, plugin_install, plugin_logs, plugins, preview, recoveries, replay, retry, secrets,
    statistics, stream, tenants, test_event, topics,
};
use crate::http::Route;

/// The handler `MODULE::NAME` is described by `MODULE::docs::NAME`.
macro_rules! routes {
    ($($method:ident $verb:ident $path:literal => $module:ident :: $name:ident;)*) => {
        &[$(Route {
            method: Method::$method,
            path: $path,
            handler: || $verb($module::$name),
            operation: $module::docs::$name,
        },)*]
    };
}

/// All of them.
pub(super) const ROUTES: &[Route<Api>] = routes! {
    GET get "/v1/endpoints" => endpoints::list;
    POST post "/v1/endpoints" => endpoints::create;
    GET get "/v1/endpoints/{id}" => endpoints::get;
    PUT put "/v1/endpoints/{id}" => endpoints::replace;
    PATCH patch "/v1/endpoints/{id}" => endpoints::update;
    DELETE delete "/v1/endpoints/{id}" => endpoints::delete;
    GET get "/v1/endpoints/{id}/secrets" => secrets::list;
    POST post "/v1/endpoints/{id}/secrets" => secrets::create;
    PATCH patch "/v1/endpoints/{id}/secrets/{secret}" => secrets::update;
    DELETE delete "/v1/endpoints/{id}/secrets/{secret}" => secrets::delete;
    POST post "/v1/endpoints/{id}/secrets/{secret}/expire" => secrets::expire;
    POST post "/v1/endpoints/{id}/activate" => activity::activate;
    POST post "/v1/endpoints/{id}/deactivate" => activity::deactivate;
    POST post "/v1/endpoints/{id}/test" => test_event::send;
    POST post "/v1/endpoints/{id}/recover" => recoveries::create;
    GET get "/v1/recoveries" => recoveries::list;
    GET get "/v1/recoveries/{id}" => recoveries::get;
    POST post "/v1/recoveries/{id}/cancel" => recoveries::cancel;
    GET get "/v1/endpoints/{id}/stats" => statistics::of_endpoint;
    GET get "/v1/stats" => statistics::of_all;
    GET get "/v1/deliveries" => deliveries::list;
    GET get "/v1/deliveries/stream" => stream::stream;
    GET get "/v1/deliveries/{id}" => deliveries::get;
    POST post "/v1/deliveries/{id}/retry" => retry::retry;
    POST post "/v1/deliveries/{id}/cancel" => retry::cancel;
    GET get "/v1/events" => event_list::list;
    GET get "/v1/events/{id}" => events::get;
    POST post "/v1/events/{id}/replay" => replay::replay;
    POST post "/v1/preview" => preview::show;
    GET get "/v1/plugins" => plugins::list;
    GET get "/v1/plugins/{name}" => plugins::get;
    PUT put "/v1/plugins/{name}" => plugin_install::install;
    DELETE delete "/v1/plugins/{name}" => plugin_install::delete;
    GET get "/v1/plugins/{name}/versions" => plugin_install::versions;
    POST post "/v1/plugins/{name}/versions/{version}/rollback" => plugin_install::roll_back;
    PUT put "/v1/plugins/{name}/candidate" => plugin_candidate::set;
    GET get "/v1/plugins/{name}/candidate" => plugin_candidate::get;
    PATCH patch "/v1/plugins/{name}/candidate" => plugin_candidate::change;
    DELETE delete "/v1/plugins/{name}/candidate" => plugin_candidate::discard;
    POST post "/v1/plugins/{name}/candidate/promote" => plugin_candidate::promote;
    GET get "/v1/plugins/{name}/logs" => plugin_logs::list;
    POST post "/v1/plugins/{name}/backtest" => backtest::start;
    GET get "/v1/keys" => keys::list;
    POST post "/v1/keys" => keys::create;
    GET get "/v1/keys/{id}" => keys::get;
    DELETE delete "/v1/keys/{id}" => keys::delete;
    GET get "/v1/tenants" => tenants::list;
    GET get "/v1/tenants/{name}" => tenants::get;
    PATCH patch "/v1/tenants/{name}" => tenants::update;
    GET get "/v1/topics" => topics::list;
    POST post "/v1/topics" => topics::create;
    PUT put "/v1/topics" => topics::import;
    GET get "/v1/topics/{*topic}" => topics::get;
    PATCH patch "/v1/topics/{*topic}" => topics::update;
    DELETE delete "/v1/topics/{*topic}" => topics::delete;
    POST post "/v1/backup" => backup::create;
    GET get "/v1/audit" => audit::list;
    GET get "/v1/audit/verify" => audit::verify;
    GET get "/healthz" => health::alive;
    GET get "/readyz" => health::ready;
    GET get "/metrics" => metrics::show;
};
