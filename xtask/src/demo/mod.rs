//! `cargo xtask demo`: the first five minutes with Hookway, in one command.
//!
//! It starts a gateway on a temporary directory and a receiver that verifies every signature, creates three endpoints,
//! posts events, replaces a plugin while events flow, and ends with a table and with commands to try.

mod endpoints;
mod latency;
mod receiver;
mod report;
mod story;
mod swap;

use std::path::PathBuf;

use anyhow::{Context, Result};
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::{events, guests, workspace};

use self::endpoints::TAGGER;
use self::receiver::Inbox;
use crate::plugins::{SHIPPED, build_guests, build_shipped};
use crate::tools::{cargo, ensure_wasm_target, step};

/// The arguments of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leaves the gateway and the receiver running until Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,
    /// Builds the gateway for speed: takes minutes more the first time
    #[arg(long)]
    release: bool,
    /// The events to post, one JSON object per line [default: recorded ones if they are there, else a set of its own]
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// Builds what the demo needs and tells its story.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure_wasm_target()?;
    build_shipped()?;
    build_guests()?;
    step("building the gateway: minutes the first time");
    let binary = build_gateway(arguments.release)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(show(arguments, binary))
}

fn build_gateway(release: bool) -> Result<PathBuf> {
    let profile = if release { "release" } else { "dev" };
    cargo(&["build", "-p", "hookway", "--bin", "hookway", "--profile", profile])?;
    let folder = if release { "release" } else { "debug" };
    Ok(workspace().join("target").join(folder).join(format!("hookway{}", std::env::consts::EXE_SUFFIX)))
}

async fn show(arguments: &Arguments, binary: PathBuf) -> Result<()> {
    step("starting a gateway on a temporary directory, and a receiver that verifies every signature");
    let mut gateway = start(binary).await?;
    println!("    {} in {}", gateway.base(), gateway.home().display());
    let mut inbox = Inbox::start().await?;
    let told = tell(arguments, &gateway, &mut inbox).await;
    told.with_context(|| format!("the demo stopped; the end of the gateway's log:\n{}", gateway.log_tail()))?;
    if arguments.keep {
        step("the gateway and the receiver keep running; Ctrl-C ends them");
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be waited for")?;
    }
    gateway.stop().await
}

async fn start(binary: PathBuf) -> Result<Gateway> {
    let mut setup = Setup::default().binary(binary).quiet();
    for name in SHIPPED {
        setup = setup.plugin(name, guests::plugin(name)?);
    }
    setup.plugin(TAGGER, guests::guest("switchable-v1")?).start().await
}

async fn tell(arguments: &Arguments, gateway: &Gateway, inbox: &mut Inbox) -> Result<()> {
    let client = gateway.client();
    let endpoints = endpoints::create(&client, inbox).await?;
    let file = arguments.events.clone().unwrap_or_else(events::recorded);
    let posted = story::post_all(&client, events::load(&file)?).await?;
    let rows = story::settle(&client, inbox, &endpoints, &posted).await?;
    let swap = swap::replace_while_events_flow(&client, inbox, &gateway.plugins_dir()).await?;
    swap.print();
    report::print(&rows, inbox)?;
    report::print_commands(gateway, &endpoints, arguments.keep);
    Ok(())
}
