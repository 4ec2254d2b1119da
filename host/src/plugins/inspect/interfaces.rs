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

/// Whether a component may import this.
pub(in crate::plugins) fn check_import(name: &str) -> Result<(), LoadError> {
    if let Some((package, version)) = name.strip_prefix("wasi:").and_then(|name| name.split_once('/')) {
        let version = version.split_once('@').map_or("", |(_, version)| version);
        let is_there = WASI.contains(&package) && version.starts_with(WASI_TRACK);
        return if is_there { Ok(()) } else { Err(LoadError::Import(clean(name))) };
    }
    match ours(name) {
        Some((interface, version)) if PROVIDED.contains(&interface) => {
            if on_our_track(version) {
                Ok(())
            } else {
                Err(LoadError::OtherTrack { verb: "imports", name: clean(name) })
            }
        }
        _ => Err(LoadError::Import(clean(name))),
    }
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
