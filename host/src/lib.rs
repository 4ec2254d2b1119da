//! Hookway: a self-hosted webhook gateway that users extend with WebAssembly components.
//!
//! # The flow
//!
//! ```text
//! POST /v1/events -> ingest ==accept==> matching -> plugins -> dispatch ==fan_out==> lanes -> deliver ==finish_attempt==> log
//!                    202 here           topics      filter,    one txn               sign, POST, classify               + next due time
//!                                                   transform
//! ```
//!
//! `==` is a commit. Each stage reads, does one thing, commits one transaction and hands on. A crash between two
//! commits repeats work and never forgets it; the only possible duplicate is the POST, and it carries the same id.
//!
//! # Layout
//!
//! In the order of the flow; the test `architecture` holds who may import whom.
//!
//! - [`model`]: the words as types, pure.
//! - [`vault`]: seals signing secrets before they are stored.
//! - [`clock`], [`chance`], [`shutdown`], [`alarm`], [`handoff`], [`telemetry`], [`metrics`], [`traces`], [`free_space`], [`priority`], [`failpoint`]: what every stage needs.
//! - [`store`]: durable state, one verb = one transaction; [`store::redb`] keeps it in one file and a log.
//! - [`backup`]: everything in one file, and a data directory made of it.
//! - [`openapi`]: what is said of the routes, as one document.
//! - [`http`]: what everything that speaks HTTP to producers and operators shares: connections, keys, bodies, problems.
//! - [`ingest`]: events in over HTTP.
//! - [`json`]: values of events, parsed where somebody looks; [`filter`]: conditions over them, without a plugin.
//! - [`ordering`]: which deliveries of an endpoint go one after another.
//! - [`notices`]: operational events, what the gateway itself tells; [`operations`]: watches what comes to pass by itself.
//! - [`matching`]: topic -> endpoints; [`directory`]: all endpoints in memory, with their index and filters.
//! - [`catalogue`]: all topics in memory, with their schemas.
//! - [`plugins`]: loads, swaps and calls WebAssembly components.
//! - [`dispatch`]: event + endpoints + verdicts -> deliveries.
//! - [`lanes`]: what may be sent when, fair per endpoint.
//! - [`deliver`]: sign, guard, POST, classify.
//! - [`replay`]: sends again what a person asks for; [`preview`]: shows what would be sent; [`backtest`]: shows what another
//!   version of a plugin would have made of the log.
//! - [`api`]: management over HTTP.
//! - [`reference`]: serves that document, to programs and to people.
//! - [`config`]: file + environment + flags -> options.
//! - [`client`]: the command line over the HTTP API; knows nothing of the gateway but its words.
//! - [`authoring`]: the command line for authors of plugins, without a gateway.
//! - [`doctor`], [`compact`]: the command line for a store that no gateway uses.
//! - [`app`]: the composition root, the only place that knows all stages.
//!
//! The module `fuzzing` is there for tests, and with the feature of this name.

pub mod alarm;
pub mod api;
pub mod app;
pub mod authoring;
pub mod backtest;
pub mod backup;
pub mod catalogue;
pub mod chance;
pub mod client;
pub mod clock;
pub mod compact;
pub mod config;
pub mod deliver;
pub mod directory;
pub mod dispatch;
pub mod doctor;
pub mod failpoint;
pub mod fast_map;
pub mod files;
pub mod filter;
pub mod free_space;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod handoff;
pub mod http;
pub mod ingest;
pub mod json;
pub mod lanes;
pub mod matching;
pub mod metrics;
pub mod model;
pub mod notices;
pub mod openapi;
pub mod operations;
pub mod ordering;
pub mod plugins;
pub mod preview;
pub mod priority;
pub mod reference;
pub mod replay;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod traces;
pub mod vault;
