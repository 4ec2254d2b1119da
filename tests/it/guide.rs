//! `docs/guide.md`, command by command: the page is a script, and this runs it.
//!
//! - A block ```` ```sh ```` goes as it stands to one POSIX shell, with the real `curl`, so that what is tested is what readers
//!   paste: quoting, pipes and all. Only `hookway` is ours there: it says which settings to start the real binary with.
//! - The block after it is what the shell has to print: JSON documents of which each field that is written must be there,
//!   or text that is exactly this. In JSON `...` in a text stands for anything. Without such a block it prints nothing.
//! - Where it prints something else and its last line only reads, that line is run again until it prints this, because
//!   deliveries take their time.
//! - A block ```` ```console ```` is for people.

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::patience::{eventually, within};
use hookway_tests::receiver::{Answer, Receiver};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

const PAGE: &str = include_str!("../../docs/guide.md");
/// Ends the output of a block: the record separator, which no answer contains.
const END: &str = "\u{1e}";

/// A command of the page and what it has to print.
#[derive(Debug, PartialEq)]
struct Step {
    /// Of the page.
    line: usize,
    script: String,
    expected: Expected,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Nothing,
    Text(String),
    Json(Vec<Value>),
}

struct Shell {
    pipes: Mutex<Pipes>,
    _child: Child,
}

struct Pipes {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

#[tokio::test]
async fn every_command_of_the_guide_does_what_the_page_says() -> Result<()> {
    let receiver = Receiver::start().await?;
    receiver.script("/broken", [Answer::status(500)]);
    let shell = Shell::start(&receiver).await?;
    let mut gateway = None;
    for step in steps(PAGE)? {
        let outcome = match step.script.strip_prefix("hookway serve") {
            Some(_) => serve(&shell, &mut gateway, &step).await,
            None => run(&shell, &step).await,
        };
        outcome.with_context(|| format!("docs/guide.md, line {}:\n{}", step.line, step.script))?;
    }
    assert_eq!(receiver.requests("/repaired").len(), 1, "what was held for the failed endpoint");
    Ok(())
}

/// Starts the gateway with the settings of the command; the second time it is the same one, started again.
async fn serve(shell: &Shell, gateway: &mut Option<Gateway>, step: &Step) -> Result<()> {
    let words = shell.run(&step.script).await?;
    let mut setup = Setup::as_it_comes();
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
    shell.run(&format!("KEY={} HOOKWAY={}", started.key(), started.base())).await?;
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
    async fn start(receiver: &Receiver) -> Result<Self> {
        let mut command = Command::new("sh");
        // The page goes by what the reader set; `curl` would go by a proxy, too.
        command.env("RECEIVER", receiver.url("")).env("no_proxy", "127.0.0.1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("the commands of the guide need `sh`")?;
        let input = child.stdin.take().context("stdin is piped")?;
        let output = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let shell = Self { pipes: Mutex::new(Pipes { input, output }), _child: child };
        shell.run("exec 2>&1\nhookway() { printf '%s\\n' \"$@\"; }").await?;
        let curl = shell.run("command -v curl").await?;
        ensure!(
            !curl.is_empty(),
            "the commands of the guide need `curl`: install it, as with `apt-get install curl`"
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

impl Step {
    /// The last line, if it changes nothing and may be run again.
    fn last_read(&self) -> Option<&str> {
        let line = self.script.lines().last()?;
        let changes = line.starts_with(' ') || line.contains(" -d ") || line.contains(" -X ");
        (!changes).then_some(line)
    }
}

impl Expected {
    fn compare(&self, printed: &str) -> Result<()> {
        let as_expected = match self {
            Self::Nothing => printed.is_empty(),
            Self::Text(text) => text == printed,
            Self::Json(wanted) => documents(printed).is_ok_and(|found| all_in(wanted, &found)),
        };
        ensure!(as_expected, "it has to print {self:?}, and printed:\n{printed}");
        Ok(())
    }
}

/// The commands of a page, each with the block that follows it.
fn steps(page: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::<Step>::new();
    let mut may_be_answered = false;
    let mut lines = page.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```").collect();
        let text = block.join("\n");
        let expected = match kind {
            "console" => continue,
            "sh" => {
                steps.push(Step { line: number + 1, script: text, expected: Expected::Nothing });
                may_be_answered = true;
                continue;
            }
            "text" => Expected::Text(text),
            "json" => Expected::Json(documents(&text).with_context(|| format!("line {number}"))?),
            other => bail!("line {number}: a block of the guide is sh, json, text or console, not {other:?}"),
        };
        ensure!(std::mem::take(&mut may_be_answered), "line {number}: an answer follows one command");
        steps.last_mut().context("an answer follows a command")?.expected = expected;
    }
    Ok(steps)
}

fn documents(text: &str) -> Result<Vec<Value>> {
    Ok(serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>()?)
}

/// Whether what was found is as wanted, one by one.
fn all_in(wanted: &[Value], found: &[Value]) -> bool {
    wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| is_in(wanted, found))
}

fn is_in(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(name, wanted)| found.get(name).is_some_and(|found| is_in(wanted, found)))
        }
        (Value::Array(wanted), Value::Array(found)) => all_in(wanted, found),
        (Value::String(wanted), Value::String(found)) => fits(wanted, found),
        _ => wanted == found,
    }
}

/// Whether a text is this one, in which `...` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, pattern)) = pattern.split_once("...") else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(start) else { return false };
    let (middle, end) = pattern.rsplit_once("...").unwrap_or(("", pattern));
    for part in middle.split("...") {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

#[test]
fn an_answer_that_differs_is_noticed() {
    let answer = r#"{"id": "ep_1", "list": [1, 2], "text": "one two"}{"next": null}"#;
    let compare = |wanted: &str| Expected::Json(documents(wanted).unwrap()).compare(answer).is_ok();
    assert!(compare(r#"{"id": "ep_...", "list": [1, 2]} {"next": null}"#));
    assert!(compare(r#"{"text": "...e t...o"} {}"#));
    for wrong in [
        r#"{"id": "ep_1"}"#,
        r#"{"id": "evt_..."} {}"#,
        r#"{"list": [1]} {}"#,
        r#"{"other": 1} {}"#,
        r#"{"text": "one"} {}"#,
        r#"{"text": "...three..."} {}"#,
        r#"{} {"next": 1}"#,
    ] {
        assert!(!compare(wrong), "{wrong}");
    }
    assert!(
        Expected::Nothing.compare("curl: (7)").is_err()
            && Expected::Text("0".to_owned()).compare("1").is_err()
    );
}

#[test]
fn a_page_is_read_as_commands_with_their_answers() {
    let page = "# Page\n```sh\na\nb\n```\n```json\n{}\n```\n```console\nc\n```\n```sh\nd -X POST\n```\n";
    let read = steps(page).unwrap();
    let step = |line, script: &str, expected| Step { line, script: script.to_owned(), expected };
    let json = Expected::Json(documents("{}").unwrap());
    assert_eq!(read, [step(3, "a\nb", json), step(13, "d -X POST", Expected::Nothing)]);
    assert_eq!((read[0].last_read(), read[1].last_read()), (Some("b"), None));
    assert!(steps("```json\n{}\n```").is_err() && steps("```rust\n```").is_err());
}
