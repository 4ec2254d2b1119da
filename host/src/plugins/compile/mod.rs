//! From the bytes of a file to machine code, where nothing else can be hurt.
//!
//! ```text
//! bytes -> child process: componentize -> inspect -> validate -> compile -> artefact -> this process
//!          limits on processor time, memory and files; killed at its deadline and at shutdown
//! ```
//!
//! Neither the compiler nor what makes components is built for hostile input: 122 KiB with 50,000 locals took 2 GiB. A
//! child that dies takes its own file with it and nothing else. It is this program again, so that both sides agree on
//! the code, with an empty environment and no file but its pipes.

mod artefact;
mod build;
mod child;
mod componentize;
mod preview1;
mod process;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(super) use self::artefact::Artefact;
pub use self::child::compile_as_child;
pub(super) use self::componentize::to_component;
pub use self::componentize::{ComponentizeError, componentize};
use super::engine::Runtime;
use super::error::LoadError;
use super::options::Options;

/// The hidden command of the program that [`Compiler::ThisProgram`] starts; it must end in [`compile_as_child`].
pub const CHILD_COMMAND: &str = "compile-plugin";
/// The program that runs, even when its file was replaced: another version would make other code.
#[cfg(target_os = "linux")]
const RUNNING: &str = "/proc/self/exe";

/// Serving events goes before compiling.
const NICENESS: i32 = 5;
/// What [`Options::compile_cpu`] is for.
const CPU_UNIT_BYTES: usize = 8 << 20;

/// Who makes machine code of plugins.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// The program at this path, started with [`CHILD_COMMAND`] for each file: this very program.
    ThisProgram(PathBuf),
    /// This process itself, without limits. For tests and benchmarks, which are no such program.
    InProcess,
}

/// What the compilation of one file may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Processor time, all threads together, in whole seconds.
    pub cpu: Duration,
    /// Address space in bytes.
    pub memory_bytes: u64,
    /// How much it gives way to others, 0 to 19, as `nice` has it.
    pub niceness: i32,
}

impl Compiler {
    /// A child process of the program that runs.
    ///
    /// # Errors
    /// The system does not say which program that is.
    pub fn this_program() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if std::path::Path::new(RUNNING).exists() {
            return Ok(Self::ThisProgram(RUNNING.into()));
        }
        std::env::current_exe().map(Self::ThisProgram)
    }

    /// Compiles the bytes of a file, one of any kind that [`super::inspect`] lets pass. `gives_way`: to what the gateway does
    /// meanwhile.
    pub(super) async fn compile(
        &self,
        runtime: &Arc<Runtime>,
        file: Arc<[u8]>,
        gives_way: bool,
    ) -> Result<Artefact, LoadError> {
        match self {
            Self::ThisProgram(program) => {
                let limits = CompileLimits::of(&runtime.options, &file, gives_way);
                process::compile(program, limits, runtime.options.compile_timeout, file).await
            }
            Self::InProcess => {
                let runtime = Arc::clone(runtime);
                let built = tokio::task::spawn_blocking(move || build::build(&runtime.engine, &file)).await;
                // A panic of the compiler ends the blocking task only.
                built.map_err(|error| LoadError::Compile(error.to_string()))?.map(Artefact::made_by_us)
            }
        }
    }
}

impl CompileLimits {
    /// A larger file may take longer, so that a small bomb need not have the time of a large interpreter.
    fn of(options: &Options, file: &[u8], gives_way: bool) -> Self {
        let begun =
            u32::try_from(file.len() / CPU_UNIT_BYTES).map_or(u32::MAX, |whole| whole.saturating_add(1));
        Self {
            cpu: options.compile_cpu.saturating_mul(begun),
            memory_bytes: options.compile_memory_bytes,
            niceness: if gives_way { NICENESS } else { 0 },
        }
    }
}
