//! What the gateway would say to a file, without a gateway: for authors.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::cache::Cache;
use super::compile::{Compiler, to_component};
use super::engine::Runtime;
use super::grants::Consent;
use super::inspect::{Census, Grant, Kind, check_import, kind};
use super::limits::CallLimits;
use super::load::Loader;
use super::manifest::{Isolation, JsonText, Manifest};
use super::options::Options;
use super::samples;
use super::version::Capability;
use super::workpiece::Workpiece;
use crate::clock::Clock;
use crate::model::{OnFailure, PluginName, TopicPattern};

/// What a plugin is, wants and gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What it would be called.
    pub name: PluginName,
    /// What the version would be called: the first 16 hex digits of the SHA-256 of the component, and with a manifest `+` and the
    /// first 8 of that of the manifest.
    pub version: String,
    /// The size of the component in bytes.
    pub size: usize,
    /// The size of the machine code that is made of it, in bytes; none if none can be made.
    pub machine_code_size: Option<usize>,
    /// Whether the file is a core module, which the gateway makes a component of.
    pub is_core_module: bool,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// What it exports, by the names of interfaces, with their versions.
    pub exports: Vec<String>,
    /// What it imports, and what it gets for it.
    pub imports: Vec<Import>,
    /// What its manifest says, and where it is silent what holds then; none if it cannot be taken.
    pub manifest: Option<Summary>,
    /// What the operator has to allow, as it stands in the configuration; none if the manifest asks for nothing.
    pub needs: Option<String>,
    /// Why the gateway would not load it.
    pub problem: Option<String>,
}

/// One import of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The name of the interface, with its version.
    pub name: String,
    /// What is behind it.
    pub gets: &'static str,
    /// The grant that it takes.
    pub grant: Option<&'static str>,
    /// Whether there is nothing behind it, so that what uses it fails; no harm where only the library of a language imports it.
    pub is_denied: bool,
    /// Whether the plugin is refused because of it.
    pub is_refused: bool,
}

/// What holds for the calls of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Whether there is a manifest.
    pub is_written: bool,
    /// It is asked about these; empty = all.
    pub topics: Vec<TopicPattern>,
    /// What becomes of a delivery that it could not judge.
    pub on_failure: OnFailure,
    /// What an instance is shared by.
    pub isolation: Isolation,
    /// The configuration of bindings that have none, as JSON text.
    pub config: Option<String>,
    /// How long a call may take.
    pub deadline_ms: u128,
    /// How much linear memory an instance may have.
    pub memory_bytes: usize,
    /// How much a call may hand over.
    pub output_bytes: usize,
    /// How many calls one instance serves, give or take 20 %.
    pub max_calls: u32,
    /// How many samples there are.
    pub samples: usize,
}

/// Loads a plugin as a gateway would that allows what the manifest asks for: up to the first instance, and the samples. Machine
/// code is kept in the folder `cache`.
///
/// # Errors
/// In a sentence: the engine does not start. A plugin that cannot be loaded is a report.
pub async fn check(
    piece: &Workpiece,
    compiler: Compiler,
    cache: Option<PathBuf>,
    mut options: Options,
    clock: Clock,
) -> Result<Report, String> {
    let mut report = describe(piece);
    // What is wrong with it, loading tells.
    if let Ok(manifest) = piece.manifest(&options) {
        if !manifest.grants.is_empty() {
            let consent = Consent::to_all_of(&manifest.grants);
            report.needs = Some(consent.to_toml(&piece.name));
            options.grants.insert(piece.name.clone(), consent);
        }
        report.manifest = Some(Summary::of(&manifest, piece.has_manifest(), &options));
    }
    let runtime = Arc::new(Runtime::alone(options, clock).map_err(|error| error.to_string())?);
    let cache = cache.and_then(|dir| Cache::open(&dir, runtime.options.cache_bytes, &runtime.engine));
    let loader = Loader::new(Arc::clone(&runtime), compiler, cache);
    let loaded = async {
        let version = loader.prepare(&piece.name, piece.files.clone(), None, &[]).await?;
        report.machine_code_size = Some(version.machine_code_size());
        samples::run(&runtime, version).await
    };
    match loaded.await {
        Ok(version) => report.capabilities = version.capabilities(),
        Err(error) => report.problem = Some(error.to_string()),
    }
    Ok(report)
}

impl Summary {
    fn of(manifest: &Manifest, is_written: bool, options: &Options) -> Self {
        let limits = CallLimits::of(manifest, options);
        Self {
            is_written,
            topics: manifest.topics.clone(),
            on_failure: manifest.on_failure.unwrap_or_default(),
            isolation: manifest.isolation,
            config: manifest.config.as_ref().map(|config| JsonText::text(config).as_ref().to_owned()),
            deadline_ms: limits.deadline.as_millis(),
            memory_bytes: limits.memory_bytes,
            output_bytes: limits.output_bytes,
            max_calls: limits.reuse,
            samples: manifest.samples.len(),
        }
    }
}

/// What the bytes tell. What is wrong with them, loading tells.
fn describe(piece: &Workpiece) -> Report {
    let file = &piece.files.component;
    let census = to_component(file).and_then(|component| Census::of(&component)).unwrap_or_default();
    Report {
        name: piece.name.clone(),
        version: piece.files.version().as_ref().to_owned(),
        size: piece.size(),
        machine_code_size: None,
        is_core_module: kind(file) == Ok(Kind::CoreModule),
        capabilities: Vec::new(),
        imports: census.imports.into_iter().map(Import::of).collect(),
        exports: census.exports,
        manifest: None,
        needs: None,
        problem: None,
    }
}

impl Import {
    fn of(name: String) -> Self {
        match check_import(&name) {
            Ok(grant) => {
                let (gets, is_denied) = behind(&name);
                Self { name, gets, grant: grant.map(Grant::name), is_denied, is_refused: false }
            }
            Err(_) => Self {
                name,
                gets: "refused: the gateway has nothing of this name",
                grant: None,
                is_denied: true,
                is_refused: true,
            },
        }
    }
}

/// What is behind an import that is let in, and whether that is nothing.
fn behind(name: &str) -> (&'static str, bool) {
    let interface = name.split('@').next().unwrap_or_default();
    let (package, interface) = interface.split_once('/').unwrap_or((interface, ""));
    match (package, interface) {
        ("hookway:plugin", "kv") => ("what it keeps, with the grant `kv`", false),
        ("hookway:plugin", _) => ("the gateway", false),
        ("wasi:http", _) => ("requests to listed hosts, with the grant `http`", false),
        ("wasi:clocks", _) => ("the time of the gateway, in milliseconds", false),
        ("wasi:random", _) => ("random bytes", false),
        ("wasi:filesystem", _) => {
            ("no files: put what it reads into its configuration, or into the component", true)
        }
        ("wasi:sockets", _) => ("no network: ask others through `wasi:http`, with the grant `http`", true),
        ("wasi:cli", "stdout" | "stderr") => ("lines of the log", false),
        ("wasi:cli", "environment") => ("no arguments; the variables of the grant `env`", false),
        ("wasi:cli", "exit") => ("the end of the call, which fails", false),
        ("wasi:cli", _) => ("no terminal, no input", true),
        _ => ("what the others need of it", false),
    }
}
