//! What an operator can set about plugins.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as friendly;
use serde::{Deserialize, Serialize};

use super::global;
use super::grants::Consent;
use crate::model::{Binding, PluginName};

/// Long enough for an interpreter with a garbage collector, short enough that a stuck plugin is no outage.
const DEFAULT_DEADLINE: Duration = Duration::from_millis(50);
/// Interpreters build their world in `init`; it runs when somebody binds or loads a plugin, not for each event.
const DEFAULT_INIT_DEADLINE: Duration = Duration::from_secs(5);
/// JavaScript and Python guests start at 9 to 13 MiB; a body of 1 MiB fits several times.
const DEFAULT_MEMORY_BYTES: usize = 64 << 20;
/// As much as ingest accepts: a transform may rewrite any event, not blow it up.
const DEFAULT_OUTPUT_BYTES: usize = 1 << 20;
/// What manifests may ask for. A second is long enough for a request to somebody else, and a plugin that needs it is one
/// that its operator chose.
const DEFAULT_MAX_DEADLINE: Duration = Duration::from_secs(1);
const DEFAULT_MAX_MEMORY_BYTES: usize = 256 << 20;
const DEFAULT_MAX_OUTPUT_BYTES: usize = 4 << 20;
/// The largest component seen in practice, an embedded Python, has 40 MB.
const DEFAULT_MAX_FILE_BYTES: u64 = 64 << 20;
/// For each 8 MiB of a file. The two largest kinds of plugin in practice, StarlingMonkey of 12 MB and an embedded Python of
/// 18 MB, take 15 s and 12 s; a slow machine may take three times as long.
const DEFAULT_COMPILE_CPU: Duration = Duration::from_secs(20);
/// For a machine that is busy: the compiler gives way to everything else.
const DEFAULT_COMPILE_TIMEOUT: Duration = Duration::from_mins(5);
/// Those two take 380 MiB, in an address space of 600 MiB.
const DEFAULT_COMPILE_MEMORY_BYTES: u64 = 1 << 30;
/// Some ten interpreters at 36 MB each, or thousands of small plugins.
const DEFAULT_CACHE_BYTES: u64 = 512 << 20;
/// Reuse hides the cost of a new instance at 100 calls already; the rest bounds what a leaking guest collects.
const DEFAULT_REUSE: u32 = 1_000;
/// Long enough to survive a pause between bursts, short enough to give the memory back.
const DEFAULT_IDLE: Duration = Duration::from_secs(60);
/// Calls are short and bound by the processor: more at once only adds waiting inside instead of outside.
const DEFAULT_CONCURRENCY: usize = 16;
/// Instances that exist at the same time, idle ones included. A slot reserves about 4 GiB of address space.
const DEFAULT_INSTANCES: usize = 256;

/// The `[plugins]` part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long one call may take, on the wall clock, where its manifest does not say.
    #[serde(with = "friendly")]
    pub deadline: Duration,
    /// How long instantiation and `init` may take together when a plugin is loaded or bound.
    #[serde(with = "friendly")]
    pub init_deadline: Duration,
    /// How much linear memory one instance may have, where its manifest does not say.
    pub memory_bytes: usize,
    /// How much a guest may hand to the host in one call: a body, its headers and reasons together. The
    /// same.
    pub output_bytes: usize,
    /// The longest `deadline_ms` that a manifest may ask for.
    #[serde(with = "friendly")]
    pub max_deadline: Duration,
    /// The most memory that a manifest may ask for.
    pub max_memory_bytes: usize,
    /// The largest output that a manifest may ask for.
    pub max_output_bytes: usize,
    /// The largest plugin file that is read.
    pub max_file_bytes: u64,
    /// How much processor time the compilation of one file may take, for each 8 MiB of it that are begun: in whole seconds,
    /// all threads together.
    #[serde(with = "friendly")]
    pub compile_cpu: Duration,
    /// How long the compilation of one file may take.
    #[serde(with = "friendly")]
    pub compile_timeout: Duration,
    /// How much address space the process that compiles one file may have.
    pub compile_memory_bytes: u64,
    /// How much machine code is kept for the next start; 0 = none.
    pub cache_bytes: u64,
    /// How many calls one instance serves, give or take 20 %; 1 = a fresh instance for every call.
    pub reuse: u32,
    /// How long an instance may be idle before it is dropped.
    #[serde(with = "friendly")]
    pub idle: Duration,
    /// How many calls of one plugin run at the same time; others wait.
    pub concurrency: usize,
    /// How many instances of all plugins exist at the same time.
    pub instances: usize,
    /// The plugins that every event goes through, before those of its tenant and of each endpoint.
    #[serde(deserialize_with = "global::bindings")]
    pub bindings: Vec<Binding>,
    /// What the operator allows plugins, by name: `[plugins.grants.NAME]`.
    #[serde(skip_serializing)]
    pub grants: BTreeMap<PluginName, Consent>,
}

impl Options {
    /// Takes the values of variables for plugins that stand in the environment of the gateway from there.
    ///
    /// # Errors
    /// A sentence for each that is not there.
    pub fn take_from(&mut self, environment: &[(String, String)]) -> Result<(), Vec<String>> {
        let mut missing = Vec::new();
        for (plugin, consent) in &mut self.grants {
            missing.extend(consent.take_from(environment).into_iter().map(|(name, env)| {
                let name = name.as_str();
                format!("plugins.grants.{plugin}.env.{name}: the environment has no variable `{env}`")
            }));
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: DEFAULT_DEADLINE,
            init_deadline: DEFAULT_INIT_DEADLINE,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            output_bytes: DEFAULT_OUTPUT_BYTES,
            max_deadline: DEFAULT_MAX_DEADLINE,
            max_memory_bytes: DEFAULT_MAX_MEMORY_BYTES,
            max_output_bytes: DEFAULT_MAX_OUTPUT_BYTES,
            max_file_bytes: DEFAULT_MAX_FILE_BYTES,
            compile_cpu: DEFAULT_COMPILE_CPU,
            compile_timeout: DEFAULT_COMPILE_TIMEOUT,
            compile_memory_bytes: DEFAULT_COMPILE_MEMORY_BYTES,
            cache_bytes: DEFAULT_CACHE_BYTES,
            reuse: DEFAULT_REUSE,
            idle: DEFAULT_IDLE,
            concurrency: DEFAULT_CONCURRENCY,
            instances: DEFAULT_INSTANCES,
            grants: BTreeMap::new(),
            bindings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OnFailure;

    #[test]
    fn durations_are_written_as_people_write_them_and_unknown_fields_are_errors() {
        let options: Options = toml::from_str("deadline = \"20ms\"\nreuse = 1").unwrap();
        assert_eq!((options.deadline, options.reuse), (Duration::from_millis(20), 1));
        assert_eq!(options.memory_bytes, DEFAULT_MEMORY_BYTES);
        assert!(toml::from_str::<Options>("dedline = \"20ms\"").is_err());
    }

    #[test]
    fn plugins_of_every_event_are_written_as_tables_and_every_mistake_is_an_error() {
        let text = "[[bindings]]\nplugin = \"redact\"\nconfig = { drop = [\"/data/card\"] }\n\
                    [[bindings]]\nplugin = \"p\"\nconfig = '{\"a\": null}'\ntopics = [\"a/*\"]\non_failure = \"open\"";
        let bindings = toml::from_str::<Options>(text).unwrap().bindings;
        assert_eq!(bindings[0].config.as_deref(), Some(r#"{"drop":["/data/card"]}"#));
        assert_eq!(bindings[1].config.as_deref(), Some(r#"{"a": null}"#));
        assert_eq!((bindings[1].topics.len(), bindings[1].on_failure), (1, Some(OnFailure::Open)));
        for wrong in
            ["plugin = \"A\"", "plugin = \"a\"\nconfig = \"x\"", "plugin = \"a\"\nwhen = 1", "config = {}"]
        {
            assert!(toml::from_str::<Options>(&format!("[[bindings]]\n{wrong}")).is_err(), "{wrong}");
        }
        let many = "[[bindings]]\nplugin = \"a\"\n".repeat(17);
        assert!(toml::from_str::<Options>(&many).unwrap_err().to_string().contains("at most 16"));
    }

    #[test]
    fn options_are_written_as_they_are_read() {
        let options = Options { deadline: Duration::from_millis(20), ..Options::default() };
        assert!(toml::to_string(&options).unwrap().contains("deadline = \"20ms\""));
    }
}
