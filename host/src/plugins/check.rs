//! What the gateway would say to a file, without a gateway: for authors.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::compile::{Compiler, to_component};
use super::engine::Runtime;
use super::inspect::{Census, Kind, check_import, kind};
use super::load::{Files, Loader};
use super::options::Options;
use super::scan::read;
use super::version::Capability;
use crate::clock::Clock;
use crate::model::PluginName;

/// What a plugin file is, wants and gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What the version would be called: the first 16 hex digits of the SHA-256 of the file.
    pub version: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Whether the file is a core module, which the gateway makes a component of.
    pub is_core_module: bool,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// What it exports, by the names of interfaces.
    pub exports: Vec<String>,
    /// What it imports, and what it gets for it.
    pub imports: Vec<Import>,
    /// Why the gateway would not load it.
    pub problem: Option<String>,
}

/// One import of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The name of the interface.
    pub name: String,
    /// What is behind it.
    pub gets: &'static str,
    /// Whether the plugin is refused because of it.
    pub is_refused: bool,
}

/// Reads a file and loads it as the gateway would, up to its first instance. Does not call `init`.
///
/// # Errors
/// In a sentence: the file cannot be read, or the engine does not start. A file that cannot be loaded is a report.
pub async fn check(
    path: &Path,
    compiler: Compiler,
    options: Options,
    clock: Clock,
) -> Result<Report, String> {
    let max = options.max_file_bytes;
    let file = read(std::fs::File::open(path), max).map_err(|error| error.to_string())?;
    let file = file.ok_or_else(|| "the file changed while it was read: try again".to_owned())?;
    let mut report = describe(&file);
    let files = Files { component: file, manifest: None };
    let version = files.version();
    let runtime = Arc::new(Runtime::start(options, clock).map_err(|error| error.to_string())?);
    let name: PluginName = "checked".parse().map_err(|_| "no name".to_owned())?;
    let loader = Loader::new(runtime, compiler, None);
    match loader.load(&name, files, None, &[]).await {
        Ok(version) => report.capabilities = version.capabilities(),
        Err(error) => report.problem = Some(error.to_string()),
    }
    version.as_ref().clone_into(&mut report.version);
    Ok(report)
}

/// What the bytes tell. What is wrong with them, loading tells.
fn describe(file: &[u8]) -> Report {
    let is_core_module = kind(file) == Ok(Kind::CoreModule);
    let census = to_component(file).and_then(|component| Census::of(&component)).unwrap_or_default();
    let imports = census.imports.into_iter().map(|name| {
        let is_refused = check_import(&name).is_err();
        Import {
            gets: if is_refused { "refused: the gateway has nothing of this name" } else { behind(&name) },
            is_refused,
            name,
        }
    });
    Report {
        version: String::new(),
        size: file.len() as u64,
        is_core_module,
        capabilities: Vec::new(),
        imports: imports.collect(),
        exports: census.exports,
        problem: None,
    }
}

/// What is behind an import that is let in.
fn behind(name: &str) -> &'static str {
    let interface = name.split('@').next().unwrap_or_default();
    match interface.split('/').next().unwrap_or_default() {
        "hookway:plugin" => "the gateway",
        "wasi:clocks" => "the time of the gateway, in milliseconds",
        "wasi:random" => "random bytes",
        "wasi:filesystem" => "no files",
        "wasi:sockets" => "no network",
        "wasi:cli" if matches!(interface, "wasi:cli/stdout" | "wasi:cli/stderr") => "lines of the log",
        "wasi:cli" => "no arguments, no environment, no terminal, no input",
        _ => "what the others need of it",
    }
}
