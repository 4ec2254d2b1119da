//! `hookway-bench`: the whole gateway under load, as ratios against a program that only forwards each POST.
//!
//! - Gateway and *bare forwarder* are processes of their own; this program is their producers and their receiver, so both
//!   leave the same part of the machine to them.
//! - Scenarios take turns, round by round, each with a new process and a new directory, so that what slows the machine
//!   for a while slows all of them. Reported is the median of the rounds, with the lowest and the highest.
//! - A round ends when the last delivery has arrived; one that is lost or comes twice fails the run.
//!
//! `cargo xtask bench gateway` builds everything and starts it, and `cargo xtask soak reload` does for the run that is long instead of fast.
#![expect(clippy::print_stdout, reason = "a program for the command line speaks on stdout")]

mod arrivals;
mod chart;
mod compare;
mod forwarder;
mod growth;
mod latency;
mod neighbours;
mod payload;
mod producers;
mod report;
mod retention;
mod round;
mod scenario;
mod serve;
mod soak;
mod target;
mod usage;

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The gateway under load, measured against a program that only forwards.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench gateway", bin_name = "cargo xtask bench gateway")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: report::Options,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// What receivers that hang or fail, and slow clients, take from everybody else
    Neighbours(neighbours::Options),
    /// A store at its size limit, beside one without a limit
    Retention(retention::Options),
    /// Replaces a plugin again and again while events flow
    Soak(soak::Options),
    /// The bare forwarder: posts each body on and answers when it was answered
    #[command(hide = true)]
    Forward {
        /// Where to
        to: SocketAddr,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.part {
            Some(Part::Forward { to }) => forwarder::run(to).await,
            Some(Part::Neighbours(options)) => neighbours::run(options).await,
            Some(Part::Retention(options)) => retention::run(options).await,
            Some(Part::Soak(options)) => soak::reload(options).await,
            None => report::run(arguments.run).await,
        }
    })
}
