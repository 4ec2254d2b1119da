//! The real binary as a process: started on a directory and port of its own, stopped, killed, restarted.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::client::Client;
use crate::guests;
use crate::patience::within;

/// What the binary prints before the address it listens on.
const LISTENING: &str = "listening on http://";
/// What it prints before the key, on the first start of a data directory.
const ADMIN_KEY: &str = "admin key (shown once): ";
const METRICS: &str = "metrics are at ";
/// How often the memory of the process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How much of the log a failed test shows: the end tells most.
const LOG_TAIL_BYTES: usize = 16 * 1024;

/// How a gateway is started.
#[derive(Debug, Clone)]
pub struct Setup {
    binary: Option<PathBuf>,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    plugins: Vec<(String, PathBuf)>,
    manifests: Vec<(String, String)>,
    disk_mib: Option<u32>,
    quiet: bool,
}

/// A running gateway and its directory. Dropping it kills the process and removes the directory.
#[derive(Debug)]
pub struct Gateway {
    setup: Setup,
    home: TempDir,
    address: SocketAddr,
    key: String,
    metrics: Option<String>,
    child: Child,
}

/// What the binary said on its first lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Greeting {
    address: Option<SocketAddr>,
    key: Option<String>,
    metrics: Option<String>,
}

impl Default for Setup {
    /// Receivers on the loopback address are allowed, and a failed delivery is retried soon, eight times.
    fn default() -> Self {
        let settings = [
            "deliver.allow_http=true",
            r#"deliver.allow_networks=["127.0.0.0/8"]"#,
            r#"deliver.retry=["50ms","100ms","100ms","200ms","200ms","400ms","400ms"]"#,
        ];
        let settings = settings.map(str::to_owned).to_vec();
        Self { settings, ..Self::as_it_comes() }
    }
}

impl Setup {
    /// No settings at all: what a user gets who gives none.
    #[must_use]
    pub const fn as_it_comes() -> Self {
        Self {
            binary: None,
            settings: Vec::new(),
            environment: Vec::new(),
            plugins: Vec::new(),
            manifests: Vec::new(),
            disk_mib: None,
            quiet: false,
        }
    }

    /// A setting more, `section.key=value`; of two for the same key the later one counts.
    #[must_use]
    pub fn set(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    /// A variable more in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A plugin that lies in the plugin directory at the start.
    #[must_use]
    pub fn plugin(mut self, name: &str, component: PathBuf) -> Self {
        self.plugins.push((name.to_owned(), component));
        self
    }

    /// The manifest of a plugin that lies beside it at the start.
    #[must_use]
    pub fn manifest(mut self, name: &str, text: &str) -> Self {
        self.manifests.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Its data lies on a disk of its own with so many MiB, which is gone with the process. Not all machines have that: see
    /// [`small_disks`].
    #[must_use]
    pub const fn disk_mib(mut self, mib: u32) -> Self {
        self.disk_mib = Some(mib);
        self
    }

    /// The binary to start, instead of the one beside the running program.
    #[must_use]
    pub fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = Some(binary);
        self
    }

    /// The log is not printed at the end. In a test it always is: the runner shows it when the test fails.
    #[must_use]
    pub const fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Starts the binary on a new directory and a free port.
    ///
    /// # Errors
    /// It is not built, or does not come up; its log is in the message.
    pub async fn start(self) -> Result<Gateway> {
        let home = tempfile::Builder::new().prefix("hookway-").tempdir().context("no temporary directory")?;
        fs::create_dir_all(home.path().join("plugins"))?;
        for (name, component) in &self.plugins {
            guests::install(component, &home.path().join("plugins"), name)?;
        }
        for (name, text) in &self.manifests {
            guests::install_manifest(text, &home.path().join("plugins"), name)?;
        }
        let (child, greeting) = self.spawn(home.path(), "127.0.0.1:0", true).await?;
        let address = greeting.address.context("the gateway says where it listens")?;
        let key = greeting.key.context("the gateway prints a key on its first start")?;
        Ok(Gateway { setup: self, home, address, key, metrics: greeting.metrics, child })
    }

    async fn spawn(&self, home: &Path, listen: &str, first: bool) -> Result<(Child, Greeting)> {
        let mut child = self.command(home, listen)?.spawn().context("the binary does not start")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let greeted = within("the gateway listens", greet(&mut lines, first)).await.flatten();
        let greeting =
            greeted.with_context(|| format!("the gateway did not come up; its log:\n{}", tail(home)))?;
        tokio::spawn(read_on(lines));
        Ok((child, greeting))
    }

    fn command(&self, home: &Path, listen: &str) -> Result<Command> {
        let log = File::options().create(true).append(true).open(home.join("gateway.log"))?;
        let (binary, data) = (self.binary.clone().map_or_else(beside_this_program, Ok)?, home.join("data"));
        let mut command = match self.disk_mib {
            None => Command::new(binary),
            Some(mib) => {
                fs::create_dir_all(&data)?;
                let mut command = on_a_disk(mib, &data);
                command.arg(binary);
                command
            }
        };
        command.args(["serve", "--listen", listen]);
        command.arg("--data-dir").arg(data).arg("--plugins-dir").arg(home.join("plugins"));
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        Ok(command)
    }
}

impl Gateway {
    /// One with the default setup and without plugins.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start() -> Result<Self> {
        Setup::default().start().await
    }

    /// A client with the admin key.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.base(), &self.key)
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The admin key of the first start.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it serves metrics without a key, if it was told to.
    #[must_use]
    pub fn metrics(&self) -> Option<&str> {
        self.metrics.as_deref()
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its directory, with `data`, `plugins` and `gateway.log`.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where a plugin file is put to be loaded.
    #[must_use]
    pub fn plugins_dir(&self) -> PathBuf {
        self.home().join("plugins")
    }

    /// Memory of the process in KiB: `VmRSS` of `/proc/PID/status`.
    ///
    /// # Errors
    /// The process is gone, or this is not Linux.
    pub fn resident_kib(&self) -> Result<u64> {
        resident_kib(&self.proc("status")?).context("/proc/PID/status has VmRSS")
    }

    /// How much the memory of the process grows while this goes on, at most: KiB, looked at every few milliseconds.
    ///
    /// # Errors
    /// The process is gone, this is not Linux, or the work fails.
    pub async fn growth_kib<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(u64, T)> {
        let before = self.resident_kib()?;
        let mut most = before;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok((most.saturating_sub(before), done?)),
                _ = ticks.tick() => most = most.max(self.resident_kib()?),
            }
        }
    }

    /// The id of the process.
    ///
    /// # Errors
    /// It has ended.
    pub fn id(&self) -> Result<u32> {
        self.child.id().context("the gateway has ended")
    }

    /// A file of the process below `/proc/PID`.
    ///
    /// # Errors
    /// The process is gone, or this is not Linux.
    pub fn proc(&self, file: &str) -> Result<String> {
        let pid = self.id()?;
        fs::read_to_string(format!("/proc/{pid}/{file}")).context("/proc is there on Linux only")
    }

    /// Where a disk of its own is to be seen from outside; settings must say `core_dumps=true`, or only root may look.
    ///
    /// # Errors
    /// It has ended.
    pub fn disk(&self) -> Result<PathBuf> {
        let data = self.home().join("data");
        Ok(PathBuf::from(format!("/proc/{}/root", self.id()?)).join(data.strip_prefix("/")?))
    }

    /// SIGTERM: asks it to drain and end.
    ///
    /// # Errors
    /// It has ended already.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// SIGHUP: asks it to read its settings again.
    ///
    /// # Errors
    /// It has ended already.
    pub fn hang_up(&self) -> Result<()> {
        self.signal(Signal::HUP)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        kill_process(pid.context("the gateway has ended already")?, signal)
            .context("the gateway could not be sent a signal")
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(within("the gateway ends", self.child.wait()).await??)
    }

    /// SIGTERM and wait; an exit code other than 0 is an error.
    ///
    /// # Errors
    /// It does not end in time, or not with 0.
    pub async fn stop(&mut self) -> Result<()> {
        self.terminate()?;
        let status = self.ended().await?;
        ensure!(status.success(), "the gateway ended with {status}; its log:\n{}", tail(self.home()));
        Ok(())
    }

    /// SIGKILL: no chance to tidy up.
    ///
    /// # Errors
    /// It has ended already.
    pub async fn kill(&mut self) -> Result<()> {
        within("the gateway is dead", self.child.kill()).await?.context("the gateway had ended already")
    }

    /// Starts it again on the same directory and port.
    ///
    /// # Errors
    /// It still runs, or does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        ensure!(self.child.id().is_none(), "the gateway still runs");
        let listen = self.address.to_string();
        let (child, greeting) = self.setup.spawn(self.home.path(), &listen, false).await?;
        ensure!(greeting.address == Some(self.address), "the gateway came back elsewhere: {greeting:?}");
        self.child = child;
        Ok(())
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// It still runs, or does not come up.
    pub async fn restart_with(&mut self, setup: Setup) -> Result<()> {
        self.setup = setup;
        self.restart().await
    }

    /// Starts it again on the same directory, where it has to refuse: ends with another code than 0. Returns the end of
    /// its log.
    ///
    /// # Errors
    /// It still runs, or does not end, or ends with 0.
    pub async fn refuses_to_start(&self) -> Result<String> {
        ensure!(self.child.id().is_none(), "the gateway still runs");
        let mut child = self.setup.command(self.home.path(), &self.address.to_string())?.spawn()?;
        let status = within("the gateway refuses to start", child.wait()).await??;
        ensure!(status.code().is_some_and(|code| code != 0), "it ended with {status}: {}", self.log_tail());
        Ok(self.log_tail())
    }

    /// The end of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(self.home())
    }

    /// What its log says of errors and panics, those of earlier processes included.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = log(self.home());
        let log = String::from_utf8_lossy(&log);
        let is_one = |line: &&str| line.contains("ERROR") || line.contains("panicked at");
        log.lines().filter(is_one).map(str::to_owned).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if !self.setup.quiet {
            show(&format!("--- log of the gateway at {}\n{}---", self.address, self.log_tail()));
        }
    }
}

impl Greeting {
    fn read(&mut self, line: &str) {
        if let Some(address) = line.strip_prefix(LISTENING) {
            self.address = address.trim().parse().ok();
        } else if let Some(key) = line.strip_prefix(ADMIN_KEY) {
            self.key = Some(key.trim().to_owned());
        } else if let Some(rest) = line.strip_prefix(METRICS) {
            self.metrics = rest.split(',').next().map(str::to_owned);
        }
    }

    const fn is_complete(&self, with_key: bool) -> bool {
        self.address.is_some() && (self.key.is_some() || !with_key)
    }
}

/// Reads lines until the address is known, and on a first start the key.
async fn greet(lines: &mut Lines<BufReader<ChildStdout>>, first: bool) -> Result<Greeting> {
    let mut greeting = Greeting::default();
    while !greeting.is_complete(first) {
        match lines.next_line().await? {
            Some(line) => greeting.read(&line),
            None => bail!("it ended after saying {greeting:?}"),
        }
    }
    Ok(greeting)
}

/// Keeps the pipe open and empty, so that a later line never blocks or breaks the process.
async fn read_on(mut lines: Lines<BufReader<ChildStdout>>) {
    while let Ok(Some(_)) = lines.next_line().await {}
}

/// `target/PROFILE/hookway`: this program is `target/PROFILE/xtask` or `target/PROFILE/deps/it-...`.
///
/// # Errors
/// It is not built.
pub fn beside_this_program() -> Result<PathBuf> {
    let program = std::env::current_exe().context("where this program lies is unknown")?;
    let name = format!("hookway{}", std::env::consts::EXE_SUFFIX);
    let places = program.ancestors().skip(1).take(2).map(|folder| folder.join(&name));
    places.into_iter().find(|place| place.is_file()).context(
        "the gateway is not built: run `cargo xtask test`, which builds it first, or `cargo build -p hookway`",
    )
}

/// Runs a program where this folder is a small disk, in a user namespace of its own, so that no privilege is needed and nothing has
/// to be tidied up.
fn on_a_disk(mib: u32, folder: &Path) -> Command {
    const MOUNT: &str = r#"mount -t tmpfs -o "size=$1m" tmpfs "$0" && shift && exec "$@""#;
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", MOUNT])
        .arg(folder)
        .arg(mib.to_string());
    command
}

/// Whether this machine lets a process have a disk of its own.
pub async fn small_disks() -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let mut command = on_a_disk(1, folder.path());
    command.arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// All that the processes of a home have logged.
fn log(home: &Path) -> Vec<u8> {
    fs::read(home.join("gateway.log")).unwrap_or_default()
}

fn tail(home: &Path) -> String {
    let log = log(home);
    String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned()
}

#[expect(clippy::print_stderr, reason = "the test runner captures it and shows it when the test fails")]
fn show(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests;
