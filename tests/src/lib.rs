//! The harness of the black-box tests: the real binary, real sockets, real components.
//!
//! Nothing here knows the inside of the gateway: it is started as a process and asked over HTTP. The same pieces run
//! `cargo xtask demo`. What fails says so in a sentence ([`anyhow::Error`]); nobody branches on it.
//!
//! - [`gateway`]: starts, stops, kills and restarts the binary.
//! - [`client`]: the HTTP API. [`command`]: the command line over it.
//! - [`receiver`]: a scripted receiver that records every request.
//! - [`guests`]: the built components. [`events`]: something to send.
//! - [`soak`]: `kill -9` under load, short in a test and long in `cargo xtask soak kill`.
//! - [`toolbox`]: programs of other languages; [`verifiers`]: of them, the Standard Webhooks libraries.
//! - [`patience`]: how long a wait may last.

pub mod client;
pub mod command;
pub mod events;
pub mod gateway;
pub mod guests;
pub mod patience;
pub mod receiver;
pub mod soak;
pub mod tail;
pub mod templates;
pub mod toolbox;
pub mod verifiers;

use std::path::{Path, PathBuf};

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
