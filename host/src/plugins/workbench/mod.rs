//! A plugin on its author's workbench: loaded as a gateway loads it, called as a gateway calls it, and looked at closely.
//!
//! ```text
//! Workpiece -> engine of the gateway ------> verdict, log, time, memory
//!       -> the same, which counts -----> instructions
//! ```
//!
//! - Each sample has a version of its own, so that no sample sees what another one did: neither an instance, nor a breaker,
//!   nor a quota of the log.
//! - Time is that of a whole judgement, as an event in the gateway waits for it.

mod call;
mod side;
mod spread;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use self::call::{calls, time};
use self::side::Side;
pub use self::spread::Spread;
use super::compile::Compiler;
use super::engine::Runtime;
use super::grants::{Consent, EnvSetting, EnvValue, Means};
use super::log_ring::{KEPT, LogFilter, LogLine};
use super::manifest::{Asked, EnvName, Manifest, Sample};
use super::options::Options;
use super::samples::{Question, SampleOutcome, problem, set_of};
use super::version::Capability;
use super::workpiece::Workpiece;
use crate::clock::Clock;
use crate::shutdown::Shutdown;

/// The deadline of calls whose instructions are counted, which are slower.
const COUNTING_DEADLINE: Duration = Duration::from_secs(30);

/// What a workbench is made of.
#[derive(Debug)]
pub struct Tools {
    /// Who makes machine code.
    pub compiler: Compiler,
    /// Where it is kept for the next time.
    pub cache: Option<PathBuf>,
    /// What the operator of a gateway can set.
    pub options: Options,
    /// What grants are made of.
    pub means: Means,
    /// The values of variables that the plugin asks for.
    pub env: BTreeMap<String, String>,
    /// The time.
    pub clock: Clock,
    /// Whether instructions are counted, for which the plugin is compiled a second time.
    pub counts_instructions: bool,
}

/// One plugin, ready to be called.
pub struct Workbench {
    manifest: Manifest,
    gateway: Side,
    counting: Option<Side>,
}

/// What a plugin made of a sample, and what that took.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What came out.
    pub outcome: SampleOutcome,
    /// How that differs from what is expected, as `expects this, but that`; none if it does not.
    pub problem: Option<String>,
    /// The most linear memory that the instance had, in bytes.
    pub memory_bytes: u64,
    /// How many instructions the call executed, or, of topics, all of them; none where they are not counted, and where there is
    /// no answer.
    pub instructions: Option<u64>,
    /// How long calls took on a reused instance; empty where there is no answer.
    pub times: Spread<Duration>,
    /// What it logged in the first call, with the start of its instance.
    pub log: Vec<LogLine>,
    /// Lines that were over a quota.
    pub log_lines_dropped: u64,
}

/// What calls cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// How many different calls there are.
    pub calls: usize,
    /// How long they take, each on an instance of its own, which is made for it.
    pub fresh: Spread<Duration>,
    /// How long they take on an instance that is reused, as a gateway does.
    pub reused: Spread<Duration>,
    /// How many instructions they execute; none where they are not counted.
    pub instructions: Option<Spread<u64>>,
    /// The most linear memory that one instance had, in bytes.
    pub memory_bytes: u64,
    /// Those that have no answer, by their number, and why; they are in no other figure.
    pub failures: Vec<(usize, String)>,
    /// How many events are of topics that the manifest leaves out.
    pub left_out: usize,
}

/// How long something is measured: until one of the two is reached.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// So many calls.
    pub calls: usize,
    /// So much time, though a few calls are made in any case.
    pub time: Duration,
}

impl Workbench {
    /// Loads the plugin as a gateway would that allows what its manifest asks for, but for the samples, which are tried one by
    /// one.
    ///
    /// # Errors
    /// In a sentence: why the gateway would not load it.
    pub async fn open(piece: &Workpiece, tools: Tools) -> Result<Self, String> {
        let Tools { compiler, cache, mut options, means, env, clock, counts_instructions } = tools;
        let manifest = piece.manifest(&options).map_err(|error| error.to_string())?;
        let consent = consent(piece, &manifest, &env)?;
        options.grants.insert(piece.name.clone(), consent);
        options.instances = options.instances.min(side::INSTANCES);
        let (tasks, cache) = (Shutdown::new(), cache.as_deref());
        let runtime = Runtime::start(options.clone(), means.clone(), clock, &tasks);
        let gateway = Side::open(piece, runtime.map_err(|error| error.to_string())?, compiler, cache).await?;
        let counting = if counts_instructions {
            // Code that counts is another one, which the compiler of the gateway does not make. That one has shown by now that
            // the file is none that takes too long to compile.
            let runtime = Runtime::counting(options, means, clock).map_err(|error| error.to_string())?;
            Some(Side::open(piece, runtime, Compiler::InProcess, cache).await?)
        } else {
            None
        };
        Ok(Self { manifest, gateway, counting })
    }

    /// What the manifest says.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the plugin can do.
    #[must_use]
    pub fn capabilities(&self) -> Vec<Capability> {
        self.gateway.first.capabilities()
    }

    /// What the version is called.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.gateway.first.hash
    }

    /// Puts a sample to the plugin.
    ///
    /// # Errors
    /// In a sentence: the plugin does not start any more.
    pub async fn try_sample(&self, sample: &Sample, effort: Effort) -> Result<Tried, String> {
        let version = self.gateway.version().await?;
        let set = set_of(&self.gateway.runtime, &version);
        let log = self.gateway.runtime.logs.of(&version.plugin);
        let after = Some(log.read(&LogFilter::default()).last);
        let question = Question::new(sample, &set, &version);
        let outcome = question.put(&set, &version).await;
        let mut tried = Tried {
            problem: problem(&sample.asked, &outcome),
            memory_bytes: version.stats.memory_peak(),
            instructions: None,
            times: Spread::default(),
            log: log.read(&LogFilter { after, limit: KEPT, ..LogFilter::default() }).lines,
            log_lines_dropped: version.log.dropped(),
            outcome,
        };
        if tried.outcome.failure().is_none() {
            tried.instructions = self.count(sample).await?;
            tried.times = time(&set, &version, &calls(&question), effort).await;
        }
        self.gateway.forget(&version);
        Ok(tried)
    }

    /// How many instructions a sample takes, on an instance that was made for it.
    async fn count(&self, sample: &Sample) -> Result<Option<u64>, String> {
        let Some(side) = &self.counting else { return Ok(None) };
        let version = side.version().await?;
        let set = set_of(&side.runtime, &version);
        side.instructions();
        let answered = Question::new(sample, &set, &version).put(&set, &version).await;
        side.forget(&version);
        Ok(answered.failure().is_none().then(|| side.instructions()))
    }

    /// What the plugin costs, asked these again and again.
    ///
    /// # Errors
    /// In a sentence: the plugin does not start any more.
    pub async fn cost(&self, samples: &[Sample], effort: Effort) -> Result<Cost, String> {
        let version = self.gateway.version().await?;
        let set = set_of(&self.gateway.runtime, &version);
        let (covered, left_out): (Vec<_>, Vec<_>) =
            (1..).zip(samples).partition(|(_, sample)| self.covers(sample));
        let question = |(number, sample)| (number, Question::new(sample, &set, &version));
        let questions: Vec<_> = covered.into_iter().map(question).collect();
        let (mut answered, mut failures) = (Vec::new(), Vec::new());
        for (number, question) in &questions {
            failures.extend(question.refusal().map(|reason| (*number, reason.to_owned())));
            for call in calls(question) {
                match call.answer(&set, &version).await {
                    Ok(()) => answered.push(call),
                    Err(error) => failures.push((*number, error.to_string())),
                }
            }
        }
        let instructions = self.count_all(&answered).await?;
        let reused = time(&set, &version, &answered, effort).await;
        let memory_bytes = version.stats.memory_peak();
        self.gateway.forget(&version);
        let version = self.gateway.version_for_one_call().await?;
        let set = set_of(&self.gateway.runtime, &version);
        let fresh = time(&set, &version, &answered, effort).await;
        Ok(Cost {
            calls: answered.len(),
            fresh,
            reused,
            instructions,
            memory_bytes,
            failures,
            left_out: left_out.len(),
        })
    }

    /// Whether the manifest has the plugin asked about it.
    fn covers(&self, sample: &Sample) -> bool {
        match &sample.asked {
            Asked::Event { event, .. } => self.manifest.covers(&event.topic),
            Asked::Topics { .. } => true,
        }
    }

    async fn count_all(&self, calls: &[call::Call<'_>]) -> Result<Option<Spread<u64>>, String> {
        let Some(side) = &self.counting else { return Ok(None) };
        let version = side.version().await?;
        let set = set_of(&side.runtime, &version);
        let mut counts = Vec::with_capacity(calls.len());
        for call in calls {
            side.instructions();
            if call.answer(&set, &version).await.is_ok() {
                counts.push(side.instructions());
            }
        }
        side.forget(&version);
        Ok(Some(Spread::of(counts)))
    }
}

/// All that the manifest asks for, with the values of its variables.
fn consent(
    piece: &Workpiece,
    manifest: &Manifest,
    env: &BTreeMap<String, String>,
) -> Result<Consent, String> {
    let mut consent = Consent::to_all_of(&manifest.grants);
    let asked = &manifest.grants.env;
    if let Some(name) = env.keys().find(|name| !asked.iter().any(|asked| asked.as_str() == *name)) {
        return Err(format!(
            "`--env {name}` is for nothing: the plugin does not ask for it; add it to `grants.env` in {}.toml",
            piece.name
        ));
    }
    let value = |name: &EnvName| {
        let value = env.get(name.as_str()).map(|value| EnvSetting::Value(EnvValue::from(value.as_str())));
        value.map(|value| (name.clone(), value)).ok_or_else(|| {
            let name = name.as_str();
            format!(
                "{}.toml asks for the variable `{name}`: give it a value with `--env {name}=VALUE`",
                piece.name
            )
        })
    };
    consent.env = asked.iter().map(value).collect::<Result<_, _>>()?;
    Ok(consent)
}
