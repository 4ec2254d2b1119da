//! The process under load: a gateway on a new directory, or the bare forwarder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use hookway_tests::client::Client;
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::guests;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::forwarder::LISTENING;
use crate::scenario::{self, Target};
use crate::usage::Usage;

/// Endpoints that are made at the same time.
const MAKERS: usize = 16;
/// The plugins of the scenarios.
const PLUGINS: [&str; 2] = ["cel-filter", "redact"];

/// A running process.
pub(crate) enum Process {
    Bare { child: Box<Child>, address: SocketAddr },
    Gateway(Box<Gateway>),
}

impl Process {
    /// Starts what a scenario is about, with its endpoints, all at this receiver.
    ///
    /// # Errors
    /// It is not built, or does not come up.
    pub(crate) async fn start(target: &Target, receiver: SocketAddr) -> Result<Self> {
        match target {
            Target::Bare => start_forwarder(receiver).await,
            Target::Gateway { copies, others, plugins, rate_limit } => {
                let mut setup = Setup::default().binary(binary()?).set("log.level=warn").quiet();
                for name in PLUGINS {
                    setup = setup.plugin(name, guests::plugin(name)?);
                }
                let gateway = setup.start().await?;
                let url = |path: String| format!("http://{receiver}/{path}");
                for copy in 0..*copies {
                    let endpoint = scenario::endpoint(&url(format!("hook/{copy}")), plugins, *rate_limit);
                    gateway.client().create_endpoint(&endpoint).await?;
                }
                make_others(&gateway.client(), *others, &url).await?;
                Ok(Self::Gateway(Box::new(gateway)))
            }
        }
    }

    /// Where events are posted.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        match self {
            Self::Bare { address, .. } => Ok(*address),
            Self::Gateway(gateway) => Ok(gateway.base().trim_start_matches("http://").parse()?),
        }
    }

    /// Below that address.
    pub(crate) const fn path(&self) -> &'static str {
        match self {
            Self::Bare { .. } => "/hook/0",
            Self::Gateway(_) => "/v1/events",
        }
    }

    /// The `authorization` of a producer.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Bare { .. } => "Bearer none".to_owned(),
            Self::Gateway(gateway) => format!("Bearer {}", gateway.key()),
        }
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        match self {
            Self::Bare { child, .. } => Usage::of(child.id().context("the forwarder has ended")?),
            Self::Gateway(gateway) => Usage::of(gateway.id()?),
        }
    }

    /// Kills it and starts it again; returns when it was started. It listens by now.
    pub(crate) async fn restart_after_kill(&mut self) -> Result<Instant> {
        let Self::Gateway(gateway) = self else { bail!("the forwarder keeps nothing") };
        gateway.kill().await?;
        let started = Instant::now();
        gateway.restart().await?;
        Ok(started)
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> Result<()> {
        match self {
            Self::Bare { mut child, .. } => Ok(child.kill().await?),
            Self::Gateway(mut gateway) => gateway.stop().await,
        }
    }
}

async fn start_forwarder(receiver: SocketAddr) -> Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["forward", &receiver.to_string()]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("the forwarder does not start")?;
    let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
    let line = lines.next_line().await?.context("the forwarder ended at once")?;
    let address = line.strip_prefix(LISTENING).context("the forwarder says where it listens")?.parse()?;
    Ok(Process::Bare { child: Box::new(child), address })
}

/// The gateway that was built beside this program.
///
/// # Errors
/// Nobody knows where this program is.
pub(crate) fn binary() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.with_file_name(format!("hookway{}", std::env::consts::EXE_SUFFIX)))
}

async fn make_others(client: &Client, count: usize, url: &impl Fn(String) -> String) -> Result<()> {
    let mut making = JoinSet::new();
    for number in 0..count {
        if making.len() == MAKERS {
            making.join_next().await.context("something is being made")???;
        }
        let (client, other) = (client.clone(), scenario::other(&url(format!("other/{number}")), number));
        making.spawn(async move { client.create_endpoint(&other).await.map(drop) });
    }
    while let Some(made) = making.join_next().await {
        made??;
    }
    Ok(())
}
