//! What the gateway would say to a file, without a gateway: for authors.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::compile::{Compiler, to_component};
use super::engine::Runtime;
use super::grants::Consent;
use super::inspect::{Census, Kind, check_import, kind};
use super::load::{Files, Loader};
use super::manifest::{self, Manifest};
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
    /// What the operator has to allow, as it stands in the configuration; none if the manifest asks for nothing.
    pub needs: Option<String>,
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

/// Reads a file, and the manifest beside it if there is one, and loads them as a gateway would that allows what the manifest asks
/// for: up to the first instance, and the samples.
///
/// # Errors
/// In a sentence: the file cannot be read, or the engine does not start. A file that cannot be loaded is a report.
pub async fn check(
    path: &Path,
    compiler: Compiler,
    mut options: Options,
    clock: Clock,
) -> Result<Report, String> {
    let max = options.max_file_bytes;
    let file = read(std::fs::File::open(path), max).map_err(|error| error.to_string())?;
    let file = file.ok_or_else(|| "the file changed while it was read: try again".to_owned())?;
    let mut report = describe(&file);
    let name = name(path)?;
    let files = Files { component: file, manifest: manifest(path)? };
    let version = files.version();
    let parsed = files.manifest.as_ref().map(|text| Manifest::parse(&format!("{name}.toml"), text, &options));
    // What is wrong with it, loading tells.
    if let Some(Ok(manifest)) = parsed.filter(|parsed| parsed.as_ref().is_ok_and(|it| !it.grants.is_empty()))
    {
        let consent = Consent::to_all_of(&manifest.grants);
        report.needs = Some(consent.to_toml(&name));
        options.grants.insert(name.clone(), consent);
    }
    let runtime = Arc::new(Runtime::alone(options, clock).map_err(|error| error.to_string())?);
    let loader = Loader::new(runtime, compiler, None);
    match loader.load(&name, files, None, &[]).await {
        Ok(version) => report.capabilities = version.capabilities(),
        Err(error) => report.problem = Some(error.to_string()),
    }
    version.as_ref().clone_into(&mut report.version);
    Ok(report)
}

/// What the plugin would be called.
fn name(path: &Path) -> Result<PluginName, String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let otherwise = |_| "checked".parse().map_err(|_| "no name".to_owned());
    stem.parse().or_else(otherwise)
}

/// The manifest beside a file.
fn manifest(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let path = path.with_extension("toml");
    match std::fs::File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        // One byte more than is taken, so that loading says that it is too large.
        file => read(file, manifest::MAX_BYTES + 1).map_err(|error| format!("{}: {error}", path.display())),
    }
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
        needs: None,
        problem: None,
    }
}

/// What is behind an import that is let in.
fn behind(name: &str) -> &'static str {
    let interface = name.split('@').next().unwrap_or_default();
    match interface.split('/').next().unwrap_or_default() {
        "hookway:plugin" if interface == "hookway:plugin/kv" => "what it keeps, with the grant `kv`",
        "hookway:plugin" => "the gateway",
        "wasi:http" => "requests to listed hosts, with the grant `http`",
        "wasi:clocks" => "the time of the gateway, in milliseconds",
        "wasi:random" => "random bytes",
        "wasi:filesystem" => "no files",
        "wasi:sockets" => "no network",
        "wasi:cli" if matches!(interface, "wasi:cli/stdout" | "wasi:cli/stderr") => "lines of the log",
        "wasi:cli" if interface == "wasi:cli/environment" => "no arguments; the variables of the grant `env`",
        "wasi:cli" => "no terminal, no input",
        _ => "what the others need of it",
    }
}
