//! What everything that speaks HTTP to producers and operators shares.
//!
//! - [`serve`]: connections, with the limits that keep slow and hostile clients from holding them; [`Front`]: what is served;
//!   [`Traffic`]: what is counted of it.
//! - [`Keys`], [`Caller`]: who may do what.
//! - [`Json`], [`OptionalJson`], [`Query`], [`PathText`], [`Limit`], [`read_body`]: requests, read within limits.
//! - [`event_stream`], [`in_parts`]: answers that go on.
//! - [`uninterrupted`]: what must not stop half-way because a client hung up.
//! - [`Route`], [`router`]: routes as tables.
//! - [`Problem`]: every error.
//!
//! Handlers take these as arguments, in this order: the caller before the body, so that nobody without a key makes
//! the gateway read one.

mod auth;
mod body;
mod connection;
mod content;
mod depth;
mod event_stream;
mod front;
mod heads;
mod json;
mod keys;
mod object;
mod parts;
mod path;
mod problem;
mod query;
mod route;
mod server;
mod stall;
mod traffic;
mod uninterrupted;

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::auth::{Caller, Peer};
pub use self::body::{broken_body, read_body, text};
pub use self::content::{Media, is_media_type, media_type, refuse_encoding};
pub use self::depth::{MAX_DEPTH, is_deeper_than};
pub use self::event_stream::{EventSender, Events, event_stream};
pub use self::front::Front;
pub use self::json::{Json, OptionalJson, parse};
pub use self::keys::{Keys, ensure_admin_key};
pub use self::object::{Object, object, objects};
pub use self::parts::{Gone, PartSender, in_parts};
pub use self::path::PathText;
pub use self::problem::{Check, Problem};
pub use self::query::{Limit, Query};
pub use self::route::{Route, described, router};
pub use self::server::serve;
pub use self::traffic::Traffic;
pub use self::uninterrupted::uninterrupted;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;

/// How the gateway listens, and how long it has patience with clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Connections at the same time; more wait in the backlog of the kernel. Each costs a file descriptor and about
    /// 20 kB.
    pub max_connections: NonZeroU32,
    /// For a connection to send the head of its first or next request.
    #[serde(with = "friendly")]
    pub header_timeout: Duration,
    /// For a client to send the whole body of a request.
    #[serde(with = "friendly")]
    pub body_timeout: Duration,
    /// For a client to take the next piece of an answer.
    #[serde(with = "friendly")]
    pub write_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // Above any real number of producers: slow clients must not be able to use it up cheaply.
            max_connections: const { NonZeroU32::new(8192).unwrap() },
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
        }
    }
}
