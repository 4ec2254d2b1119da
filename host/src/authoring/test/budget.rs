//! What a call may cost.

use std::time::Duration;

use clap::Args as ClapArgs;

use crate::authoring::figures::{count, size, time};
use crate::plugins::Tried;

/// The most that a call of any sample may cost; over it the test fails.
#[derive(Debug, Default, ClapArgs)]
pub(super) struct Budget {
    /// Fail if a call takes longer than this, in 99 of 100 cases, in microseconds.
    #[arg(long, value_name = "US")]
    max_p99_us: Option<u64>,
    /// Fail if a call executes more instructions; a number that no other load on the machine changes.
    #[arg(long, value_name = "COUNT", conflicts_with = "no_instructions")]
    max_instructions: Option<u64>,
    /// Fail if an instance takes more memory, in MiB.
    #[arg(long, value_name = "MIB")]
    max_memory_mb: Option<u64>,
}

impl Budget {
    /// Each part that is exceeded, in a sentence.
    pub(super) fn exceeded_by(&self, tried: &Tried) -> Vec<String> {
        let p99 = over(tried.times.p99(), self.max_p99_us.map(Duration::from_micros));
        let instructions = over(tried.instructions, self.max_instructions);
        let memory = over(Some(tried.memory_bytes), self.max_memory_mb.map(|mb| mb.saturating_mul(1 << 20)));
        let p99 =
            p99.map(|(got, most)| format!("takes {} (p99), and its budget is {}", time(got), time(most)));
        let instructions = instructions.map(|(got, most)| {
            format!("executes {} instructions, and its budget is {}", count(got), count(most))
        });
        let memory = memory
            .map(|(got, most)| format!("takes {} of memory, and its budget is {}", size(got), size(most)));
        [p99, instructions, memory].into_iter().flatten().collect()
    }
}

fn over<T: Copy + Ord>(got: Option<T>, most: Option<T>) -> Option<(T, T)> {
    got.zip(most).filter(|(got, most)| got > most)
}
