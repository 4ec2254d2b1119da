//! What the benchmarks share: times as percentiles, arguments, and the rows of a table as a file.

use std::error::Error;
use std::time::Duration;

use serde::Serialize;

/// Microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The percentiles of these times; zeros if there are none.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> Times {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    Times { p50: at(50), p99: at(99) }
}

/// Writes the rows to the file that `--json FILE` names, if the command line does.
pub(crate) fn write_json(rows: &impl Serialize) -> Result<(), Box<dyn Error>> {
    if let Some(file) = argument("--json")? {
        std::fs::write(file, serde_json::to_vec_pretty(rows)?)?;
    }
    Ok(())
}

/// What the command line says after this flag, if it has it.
pub(crate) fn argument(flag: &str) -> Result<Option<String>, Box<dyn Error>> {
    let mut args = std::env::args().skip_while(|arg| arg != flag);
    let is_there = args.next().is_some();
    is_there.then(|| args.next().ok_or_else(|| format!("`{flag}` needs a value after it").into())).transpose()
}
