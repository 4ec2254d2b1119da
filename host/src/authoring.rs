//! `hookway plugin check | componentize | wit`: for authors of plugins, without a gateway.
//!
//! The same code that loads plugins in the gateway, so that what is said here holds there.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::clock::Clock;
use crate::plugins::{self, Compiler, Options, Report, WIT};

/// What authors can do on their own.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what a file exports and imports, and whether the gateway would load it; exit code 1 if it would not.
    Check {
        /// A component, or a core module that says its interfaces.
        file: PathBuf,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a component of a core module, for tool chains that do not; the gateway does the same with one that says its interfaces.
    Componentize {
        /// The core module.
        file: PathBuf,
        /// The world that it is made for, for example `filter-plugin`; see `hookway plugin wit`. Not needed where the module
        /// says it itself.
        #[arg(long)]
        world: Option<String>,
        /// Where the component goes.
        #[arg(long, short)]
        output: PathBuf,
    },
    /// Print the contract between gateway and plugins.
    Wit,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {reason}", path = .path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why, in a sentence.
        reason: String,
    },
    /// Nobody reads the output, or there is no thread to work on.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Does what was asked.
///
/// # Errors
/// In a sentence.
pub fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Check { file, json } => check(&file, json),
        Command::Componentize { file, world, output } => {
            let module = std::fs::read(&file).map_err(|source| Error::File { path: file.clone(), source })?;
            let component = plugins::componentize(&module, world.as_deref())
                .map_err(|error| Error::Refused { path: file, reason: error.to_string() })?;
            std::fs::write(&output, component).map_err(|source| Error::File { path: output, source })
        }
        Command::Wit => Ok(io::stdout().write_all(WIT.as_bytes())?),
    }
}

fn check(file: &Path, json: bool) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checked = plugins::check(file, Compiler::this_program()?, Options::default(), Clock::system());
    let refused = |reason| Error::Refused { path: file.to_owned(), reason };
    let report = runtime.block_on(checked).map_err(refused)?;
    let text = if json { serde_json::to_string(&report).map_err(io::Error::from)? } else { text(&report) };
    writeln!(io::stdout(), "{}", text.trim_end())?;
    report.problem.map_or(Ok(()), |reason| Err(refused(reason)))
}

/// A report for people.
fn text(report: &Report) -> String {
    let Report { version, size, is_core_module, capabilities, exports, imports, needs, problem } = report;
    let kind = if *is_core_module { "core module, made a component" } else { "component" };
    let mut text = format!("version {version}, {size} bytes, {kind}\n");
    let mut list = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text +=
                &format!("{title}:\n{}", lines.iter().map(|line| format!("  {line}\n")).collect::<String>());
        }
    };
    list("exports", exports.clone());
    list("imports", imports.iter().map(|import| format!("{}: {}", import.name, import.gets)).collect());
    if let Some(needs) = needs {
        let lines = needs.lines().map(|line| format!("  {line}\n"));
        text += &format!("the operator has to allow, in the configuration:\n{}", lines.collect::<String>());
    }
    if problem.is_none() {
        let names: Vec<_> = capabilities.iter().map(|capability| capability.name()).collect();
        text += &format!("the gateway would load it as: {}\n", names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::{Capability, Import};

    #[test]
    fn a_report_says_what_there_is_and_what_is_behind_it() {
        let import =
            Import { name: "wasi:cli/stdout@0.2.0".into(), gets: "lines of the log", is_refused: false };
        let mut report = Report {
            version: "0123456789abcdef".into(),
            size: 7,
            is_core_module: true,
            capabilities: vec![Capability::Filter],
            exports: vec!["hookway:plugin/filter@1.0.0".into()],
            imports: vec![import],
            needs: Some("[plugins.grants.p]\nkv = {}\n".into()),
            problem: None,
        };
        let expected = "version 0123456789abcdef, 7 bytes, core module, made a component\nexports:\n  \
                        hookway:plugin/filter@1.0.0\nimports:\n  wasi:cli/stdout@0.2.0: lines of the log\n\
                        the operator has to allow, in the configuration:\n  [plugins.grants.p]\n  kv = {}\n\
                        the gateway would load it as: filter\n";
        assert_eq!(text(&report), expected);
        report.problem = Some("it is bad".into());
        assert!(!text(&report).contains("would load"));
    }
}
