//! Management over HTTP: endpoints, topics, the delivery log, events, plugins, health.
//!
//! - Every route but `/healthz` and `/readyz` wants a key (`/metrics` one of its own, or the listener that is for it alone); a tenant's key sees its tenant and nothing else: what
//!   belongs to others is 404, as if it did not exist.
//! - Lists are `{data, next_cursor}` and take `limit` and `cursor`; a cursor is an opaque text.
//! - Times are RFC 3339 in UTC. A signing secret is shown in the answer to its creation and never again.
//! - What changes something is written down in the audit log by the same transaction ([`audited`]).
//! - `?dry_run=true` asks what a change of configuration would do: it is checked as a whole, and changes nothing ([`dry_run`]).
//! - What changes something either changes all of it or nothing; a refusal names the field by a JSON pointer.

mod activity;
mod attempt_view;
mod audit;
mod audit_view;
mod audited;
mod backtest;
mod backtest_view;
mod backup;
mod binding_input;
mod binding_view;
mod breaker_view;
mod deliveries;
mod delivery_view;
mod dry_run;
mod endpoint_check;
mod endpoint_input;
mod endpoint_view;
mod endpoints;
mod event_list;
mod events;
mod health;
mod key_view;
mod keys;
mod metrics;
mod page;
mod plugin_candidate;
mod plugin_candidate_view;
mod plugin_install;
mod plugin_logs;
mod plugin_upload;
mod plugin_users;
mod plugin_version_view;
mod plugin_view;
mod plugins;
mod preview;
mod preview_input;
mod preview_view;
mod recoveries;
mod recovery_input;
mod recovery_view;
mod replay;
mod request_input;
mod retry;
mod routes;
mod secret_input;
mod secret_view;
mod secrets;
mod signature_input;
mod spans;
mod statistics;
mod statistics_view;
mod stream;
mod tenant_view;
mod tenants;
mod test_event;
mod topic_file;
mod topic_import;
mod topic_input;
mod topic_view;
mod topics;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use url::Url;

pub use self::health::{Readiness, early_router};
pub use self::metrics::{Options as MetricsOptions, open_router};
pub use self::stream::Streams;
pub use self::topic_file::FileFormat;
pub use self::topic_import::{import_topics, read_topics};
use crate::backtest::Backtests;
use crate::backup::Backups;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::handoff;
use crate::http::{self, Keys};
use crate::lanes::Lanes;
use crate::metrics::Metrics;
use crate::model::Event;
use crate::openapi::Described;
use crate::plugins::Plugins;
use crate::preview::Previews;
use crate::replay::Resends;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::traces::Traces;

/// Whether deliveries may go to this URL: the URL normalised, or a sentence that says why not.
pub type TargetCheck = Arc<dyn Fn(&str) -> Result<Url, String> + Send + Sync>;

/// What the management API needs. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The log.
    pub store: Arc<dyn Store>,
    /// Who may call.
    pub keys: Keys,
    /// Tells when things were made and changed.
    pub clock: Clock,
    /// The endpoints.
    pub directory: Directory,
    /// The topics.
    pub catalogue: Catalogue,
    /// The plugins that endpoints can be bound to.
    pub plugins: Plugins,
    /// What may be sent when.
    pub lanes: Lanes,
    /// What sends again.
    pub resends: Resends,
    /// What shows events before they are sent.
    pub previews: Previews,
    /// What shows what another version of a plugin would say.
    pub backtests: Backtests,
    /// What makes backups.
    pub backups: Backups,
    /// What the gateway counts.
    pub metrics: Metrics,
    /// Whether deliveries may go to a URL.
    pub target_check: TargetCheck,
    /// Whether the gateway takes events now.
    pub readiness: Readiness,
    /// Where the events that test an endpoint go once they are stored.
    pub accepted: handoff::Sender<Arc<Event>>,
    /// Bytes of the body that describes such an event, as they are set now.
    pub max_event_bytes: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Ends the answers that go on.
    pub shutdown: Shutdown,
    /// The answers that go on.
    pub streams: Streams,
    /// What is told of requests that have something sent again.
    pub traces: Traces,
}

/// The router of the management API.
pub fn router(api: Api) -> Router {
    http::router(routes::ROUTES, api)
}

/// What is said of every route.
pub fn described() -> impl Iterator<Item = Described> {
    http::described(routes::ROUTES)
}

impl FromRef<Api> for Keys {
    fn from_ref(api: &Api) -> Self {
        api.keys.clone()
    }
}
