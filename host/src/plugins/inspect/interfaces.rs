//! Names of interfaces: what of the contract a component exports, and what it may import.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::plugins::error::LoadError;
use crate::plugins::text::clean;

const OURS: &str = "hookway:plugin/";
const PROVIDED: [&str; 2] = ["types", "log"];
/// The packages of WASI 0.2 that there are, with nothing of this machine behind them.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
const WASI_TRACK: &str = "0.2.";
/// What of `wasi:http` a plugin may import that has the grant.
const WASI_HTTP: [&str; 2] = ["types", "outgoing-handler"];

/// What takes the operator's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugins) enum Grant {
    /// `wasi:http`.
    Http,
    /// `hookway:plugin/kv`.
    Kv,
}

/// An import that takes a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plugins) struct Needed {
    pub(in crate::plugins) import: String,
    pub(in crate::plugins) grant: Grant,
}

impl Grant {
    /// What it is called in a manifest.
    pub(in crate::plugins) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Kv => "kv",
        }
    }
}

/// Which interfaces of the contract a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::plugins) struct Interfaces {
    pub(in crate::plugins) lifecycle: bool,
    pub(in crate::plugins) filter: bool,
    pub(in crate::plugins) transform: bool,
    pub(in crate::plugins) topic_matcher: bool,
}

impl Interfaces {
    /// Those of a compiled component.
    pub(in crate::plugins) fn of(component: &Component, engine: &Engine) -> Result<Self, LoadError> {
        let mut exports = Self::default();
        for (name, _) in component.component_type().exports(engine) {
            exports.add(name)?;
        }
        exports.some()
    }

    /// Exports that are not ours are nobody's business.
    pub(super) fn add(&mut self, name: &str) -> Result<(), LoadError> {
        let Some((interface, version)) = ours(name) else { return Ok(()) };
        let known = match interface {
            "lifecycle" => &mut self.lifecycle,
            "filter" => &mut self.filter,
            "transform" => &mut self.transform,
            "topic-matcher" => &mut self.topic_matcher,
            _ => return Ok(()),
        };
        if !on_our_track(version) {
            return Err(LoadError::OtherTrack { verb: "exports", name: clean(name) });
        }
        *known = true;
        Ok(())
    }

    /// Itself, if a component that exports this can do anything.
    pub(super) const fn some(self) -> Result<Self, LoadError> {
        if self.filter || self.transform || self.topic_matcher {
            Ok(self)
        } else {
            Err(LoadError::NoInterface)
        }
    }
}

/// Whether there is something of this name for components, and which grant it takes.
pub(in crate::plugins) fn check_import(name: &str) -> Result<Option<Grant>, LoadError> {
    let unknown = || LoadError::Import(clean(name));
    if let Some((package, interface)) = name.strip_prefix("wasi:").and_then(|name| name.split_once('/')) {
        let (interface, version) = interface.split_once('@').unwrap_or((interface, ""));
        return match package {
            _ if !version.starts_with(WASI_TRACK) => Err(unknown()),
            "http" if WASI_HTTP.contains(&interface) => Ok(Some(Grant::Http)),
            _ if WASI.contains(&package) => Ok(None),
            _ => Err(unknown()),
        };
    }
    let (interface, version) = ours(name).ok_or_else(unknown)?;
    let grant = match interface {
        "kv" => Some(Grant::Kv),
        _ if PROVIDED.contains(&interface) => None,
        _ => return Err(unknown()),
    };
    if on_our_track(version) {
        Ok(grant)
    } else {
        Err(LoadError::OtherTrack { verb: "imports", name: clean(name) })
    }
}

/// Those of the imports that take a grant.
pub(in crate::plugins) fn needed<'a>(
    imports: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Needed>, LoadError> {
    let mut needed = Vec::new();
    for import in imports {
        if let Some(grant) = check_import(import)? {
            needed.push(Needed { import: import.to_owned(), grant });
        }
    }
    Ok(needed)
}

/// `hookway:plugin/filter@1.0.0` -> (`filter`, `1.0.0`).
fn ours(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(OURS)?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// Within a major version, everything that one side knows the other one understands or ignores.
fn on_our_track(version: &str) -> bool {
    version.strip_prefix("1.").is_some_and(|rest| !rest.contains('-'))
}
