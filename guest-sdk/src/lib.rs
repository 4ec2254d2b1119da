//! Hookway plugins in Rust: filters, transforms and topic matchers.
//!
//! A plugin is a WebAssembly component in the gateway's plugin directory. This crate turns the contract
//! `hookway:plugin` ([`WIT`]) into three traits, one macro and events for unit tests that need no gateway.
//!
//! A whole filter:
//!
//! ```
//! use hookway_plugin::{Endpoint, Error, Event, Filter, Verdict};
//!
//! #[derive(serde::Deserialize)]
//! struct BigOrders { minimum: f64 }
//!
//! impl Filter for BigOrders {
//!     type Config = Self; // from the binding's config: {"minimum": 100}
//!     fn new(config: Self) -> Result<Self, String> { Ok(config) }
//!     fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
//!         let total = event.get("/total").and_then(|v| v.as_f64()).unwrap_or(0.0);
//!         Ok(if total >= self.minimum { Verdict::Deliver } else { Verdict::drop("a small order") })
//!     }
//! }
//! hookway_plugin::export!(filter: BigOrders);
//!
//! # use hookway_plugin::{json, testing};
//! // In a unit test, natively:
//! let plugin = testing::filter::<BigOrders>(json!({"minimum": 100})).unwrap();
//! let event = Event::test("orders/created", json!({"total": 99.5}));
//! assert_eq!(plugin.filter(&event, &Endpoint::test()), Ok(Verdict::drop("a small order")));
//! ```
//!
//! `hookway plugin new NAME --lang rust` writes a project with all that belongs to it: `crate-type = ["cdylib", "rlib"]` in `Cargo.toml`,
//! a manifest with samples, tests. It is built with `cargo build --release --target wasm32-wasip2`. Copy the `.wasm` file into
//! the plugin directory and bind it to an endpoint: `{"plugin": "big-orders", "config": {"minimum": 100}}`.
//!
//! # What to know
//!
//! - An instance serves many events of one tenant and one configuration. `new` runs once for each instance, so
//!   compile and parse there. A configuration that does not fit its type is refused with a sentence that names the
//!   field: `` `minimum` must be a number, not the text "many" ``.
//! - [`Event`] lives in the gateway. [`Event::get`] copies one value and needs no JSON parser; [`Event::data`] and
//!   [`Event::body`] copy everything.
//! - A call has 50 ms, 64 MiB of memory and 1 MiB of output. A panic, like any limit, fails the call and ends
//!   the instance; what happens to the delivery is the `on_failure` of the binding.
//!
//! # Layout
//!
//! [`Filter`], [`Transform`] and [`TopicMatcher`] are what you implement, [`Event`] and [`Endpoint`] what you are
//! given, [`Verdict`], [`Outcome`] and [`Error`] what you answer; [`export!`] makes the component, [`log`] writes to the
//! plugin's log. With a grant of the operator, [`kv`] keeps values, [`http`] asks others, and `std::env::var` has variables.
//! `testing` (not there in WebAssembly) makes plugins, and answers for others, in unit tests.

/// What [`export!`] expands to; not part of the interface.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[path = "wasm/mod.rs"]
pub mod __wasm;
mod config;
mod endpoint;
mod event;
mod export;
pub mod http;
pub mod kv;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod outcome;
mod plugin;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

/// Where events come from: the gateway, or a unit test.
#[cfg(target_arch = "wasm32")]
use __wasm as source;
#[cfg(not(target_arch = "wasm32"))]
use native as source;

pub use config::NoConfig;
pub use endpoint::Endpoint;
pub use event::{Event, Value};
pub use outcome::{Error, Outcome, Request, Verdict};
pub use plugin::{Filter, TopicMatcher, Transform};
pub use serde_json::json;

/// The contract that this crate implements, as WIT text, for tools and for other languages.
pub const WIT: &str = include_str!("../../wit/hookway.wit");
