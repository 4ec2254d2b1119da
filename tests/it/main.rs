//! Black-box tests: the real binary, real sockets, real components. One program, so that it links once.
//!
//! `cargo xtask test` builds the binary and the components first.

mod architecture;
mod crash;
mod delivery;
mod health;
mod ingest;
mod load;
mod plugins;
mod reload;
mod scene;
mod shutdown;
