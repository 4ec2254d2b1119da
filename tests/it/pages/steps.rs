//! A page as a script: commands, each with what it has to print.
//!
//! - A block ```` ```sh ```` goes as it stands to one POSIX shell, with the real `curl` and the real `hookway`, so that what is
//!   tested is what readers paste: quoting, pipes and all.
//! - The block after it is what the shell has to print: JSON documents of which each field that is written must be there,
//!   or text that is exactly this. In both `...` stands for anything. Without such a block it prints nothing.
//! - A block ```` ```console ```` is for people.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What a command of `hookway` begins with if it only reads.
const READS: [&str; 8] = ["list", "get", "show", "why", "stats", "preview", "verify", "export"];

/// A command of the page and what it has to print.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// Of the page.
    pub(super) line: usize,
    pub(super) script: String,
    pub(super) expected: Expected,
}

#[derive(Debug, PartialEq)]
pub(super) enum Expected {
    Nothing,
    Text(String),
    Json(Vec<Value>),
}

impl Step {
    /// The last line, if it changes nothing and may be run again.
    pub(super) fn last_read(&self) -> Option<&str> {
        let line = self.script.lines().last()?;
        let is_read = match line.strip_prefix("hookway ") {
            Some(command) => command.split(' ').any(|word| READS.contains(&word)),
            None => !line.starts_with(' ') && !line.contains(" -d ") && !line.contains(" -X "),
        };
        is_read.then_some(line)
    }
}

impl Expected {
    pub(super) fn compare(&self, printed: &str) -> Result<()> {
        let as_expected = match self {
            Self::Nothing => printed.is_empty(),
            Self::Text(text) => fits(text, printed),
            Self::Json(wanted) => documents(printed).is_ok_and(|found| all_in(wanted, &found)),
        };
        ensure!(as_expected, "it has to print {self:?}, and printed:\n{printed}");
        Ok(())
    }
}

/// The commands of a page, each with the block that follows it.
pub(super) fn steps(page: &str) -> Result<Vec<Step>> {
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
            other => bail!("line {number}: a block of a page is sh, json, text or console, not {other:?}"),
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
    let text = Expected::Text("ID   URL\nep_... http://a\n...".to_owned());
    assert!(
        text.compare("ID   URL\nep_1 http://a\nep_2 http://b").is_ok() && text.compare("ID   URL").is_err()
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
    let last = |script: &str| {
        Step { line: 1, script: script.to_owned(), expected: Expected::Nothing }.last_read().is_some()
    };
    assert!(last("hookway delivery list --tenant acme") && last("hookway event why order-42"));
    assert!(!last("hookway event send -") && !last("hookway endpoint create http://a"));
    assert!(steps("```json\n{}\n```").is_err() && steps("```rust\n```").is_err());
}
