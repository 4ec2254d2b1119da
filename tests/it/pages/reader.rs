//! Follows a page as a reader does: one shell from the first command to the last, and a gateway where the page starts one.
//!
//! - `hookway serve` says which settings to start the real binary with; the second time it is the same gateway, started
//!   again. All other commands of `hookway` are those of the real binary, with the gateway's address and its admin key in the
//!   environment, as the page has the reader set them.
//! - Where a command prints something else and its last line only reads, that line is run again until it prints what the
//!   page says, because deliveries take their time.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use hookway_tests::gateway::{Gateway, Setup, beside_this_program};
use hookway_tests::guests::plugin;
use hookway_tests::patience::{eventually, within};
use hookway_tests::receiver::Receiver;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::steps::{Step, steps};

/// Ends the output of a block: the record separator, which no answer contains.
const END: &str = "\u{1e}";
/// `serve` is ours; hints for people, on standard error, are no part of what a page shows.
const HOOKWAY: &str = r#"hookway() {
  case $1 in
    serve) printf '%s\n' "$@" ;;
    *) "$HOOKWAY_BINARY" "$@" 2>>"$HOOKWAY_HINTS" || { code=$?; tail -n 1 "$HOOKWAY_HINTS"; return $code; } ;;
  esac
}"#;

/// A page of the documentation.
pub(super) struct Page {
    /// Its path in the workspace.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// The plugins that ship which it has in the plugin directory.
    pub(super) plugins: &'static [&'static str],
}

/// Runs every command of a page; its deliveries go to `receiver`.
///
/// # Errors
/// One prints something else than the page says.
pub(super) async fn follow(page: &Page, receiver: &Receiver) -> Result<()> {
    let home = tempfile::tempdir()?;
    let shell = Shell::start(receiver, home.path()).await?;
    let mut gateway = None;
    for step in steps(page.text)? {
        let outcome = match step.script.strip_prefix("hookway serve") {
            Some(_) => serve(&shell, &mut gateway, page, &step).await,
            None => run(&shell, &step).await,
        };
        outcome.with_context(|| format!("{}, line {}:\n{}", page.name, step.line, step.script))?;
    }
    Ok(())
}

struct Shell {
    pipes: Mutex<Pipes>,
    _child: Child,
}

struct Pipes {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// Starts the gateway with the settings of the command.
async fn serve(shell: &Shell, gateway: &mut Option<Gateway>, page: &Page, step: &Step) -> Result<()> {
    let words = shell.run(&step.script).await?;
    let mut setup = Setup::as_it_comes();
    for name in page.plugins {
        // Other tests keep the machine busy.
        setup = setup.plugin(name, plugin(name)?).set("plugins.deadline=5s").set("plugins.max_deadline=5s");
    }
    let mut words = words.lines().skip_while(|word| *word == "serve");
    while let Some(word) = words.next() {
        ensure!(word == "--set", "this test knows no `{word}`");
        setup = setup.set(words.next().context("`--set` has a value")?);
    }
    if let Some(gateway) = gateway {
        gateway.stop().await?;
        return gateway.restart_with(setup).await;
    }
    let started = setup.start().await?;
    let (key, base) = (started.key(), started.base());
    shell.run(&format!("KEY={key} HOOKWAY={base}; export HOOKWAY_KEY={key} HOOKWAY_ADDRESS={base}")).await?;
    *gateway = Some(started);
    Ok(())
}

async fn run(shell: &Shell, step: &Step) -> Result<()> {
    let Err(difference) = step.expected.compare(&shell.run(&step.script).await?) else { return Ok(()) };
    let Some(read) = step.last_read() else { return Err(difference) };
    let asking = eventually("the answer of the page", || async {
        let answer = shell.run(read).await?;
        Ok(step.expected.compare(&answer).is_ok().then_some(()))
    });
    match asking.await {
        Ok(()) => Ok(()),
        Err(_) => step.expected.compare(&shell.run(read).await?),
    }
}

impl Shell {
    async fn start(receiver: &Receiver, home: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        // The page goes by what the reader set; `curl` would go by a proxy, too.
        command.env("RECEIVER", receiver.url("")).env("no_proxy", "127.0.0.1");
        command.env("HOOKWAY_BINARY", beside_this_program()?).env("HOOKWAY_HINTS", home.join("hints"));
        command.env("HOME", home).env_remove("XDG_CONFIG_HOME").current_dir(home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("the commands of a page need `sh`")?;
        let input = child.stdin.take().context("stdin is piped")?;
        let output = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let shell = Self { pipes: Mutex::new(Pipes { input, output }), _child: child };
        shell.run(&format!("exec 2>&1\n{HOOKWAY}")).await?;
        let curl = shell.run("command -v curl").await?;
        ensure!(
            !curl.is_empty(),
            "the commands of a page need `curl`: install it, as with `apt-get install curl`"
        );
        Ok(shell)
    }

    /// Runs commands; what they print.
    async fn run(&self, script: &str) -> Result<String> {
        let Pipes { input, output } = &mut *self.pipes.lock().await;
        input.write_all(format!("{script}\nprintf '\\n{END}\\n'\n").as_bytes()).await?;
        let reading = async {
            let mut printed = String::new();
            while let Some(line) = output.next_line().await? {
                if line == END {
                    return Ok(printed.trim().to_owned());
                }
                printed.push_str(&line);
                printed.push('\n');
            }
            bail!("the shell ended after printing {printed:?}")
        };
        within("the commands end", reading).await?
    }
}
