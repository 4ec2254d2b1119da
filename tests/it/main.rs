//! Black-box tests: the real binary, real sockets, real components. One program, so that it links once.
//!
//! `cargo xtask test` builds the binary and the components first.

mod access;
mod architecture;
mod authoring;
mod backpressure;
mod breaker;
mod checklist;
mod cli;
mod cloudevents;
mod contract;
mod crash;
mod delivery;
mod deploy;
mod dry_run;
mod filters;
mod guard;
mod health;
mod hostile_clients;
mod hostile_receivers;
mod idempotency;
mod ingest;
mod leaks;
mod limits;
mod live_tail;
mod load;
mod log;
mod one_row_per_post;
mod open_files;
mod openapi;
mod operational_events;
mod ordering;
mod pages;
mod plugins;
mod preview;
mod recovery;
mod reload;
mod replay;
mod scene;
mod secrets;
mod secrets_at_rest;
mod shutdown;
mod signatures;
mod test_event;
mod topics;
mod verifiers;
