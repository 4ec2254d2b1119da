//! The gateway's side of a compilation: starts the child, feeds it, waits for it and says what became of it.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::artefact::Artefact;
use super::child::{CODE, SENTENCE};
use super::{CHILD_COMMAND, CompileLimits};
use crate::plugins::error::LoadError;
use crate::plugins::text::clean;

/// Beyond it, more memory per thread buys little time.
const MAX_THREADS: usize = 4;
/// Of what the child complains about, the last lines count.
const MAX_COMPLAINT_BYTES: u64 = 16 << 10;
/// A word that Rust's allocator has for being out of memory, and the system's words for it.
const OUT_OF_MEMORY: [&str; 3] =
    ["memory allocation of", "Cannot allocate memory", "Resource temporarily unavailable"];

/// What the child left behind.
struct End {
    status: ExitStatus,
    answer: Vec<u8>,
    complaint: String,
}

pub(super) async fn compile(
    program: &Path,
    limits: CompileLimits,
    deadline: Duration,
    file: Arc<[u8]>,
) -> Result<Artefact, LoadError> {
    // A child whose future is dropped, as at shutdown, is killed.
    let mut child = command(program, limits).spawn().map_err(no_compiler)?;
    let end = match timeout(deadline, talk(&mut child, &file, limits)).await {
        Ok(end) => end.map_err(no_compiler)?,
        Err(_) => {
            child.kill().await.map_err(no_compiler)?;
            return Err(LoadError::CompileTimeout(deadline));
        }
    };
    let mut answer = end.answer;
    match (end.status.success(), answer.first()) {
        (true, Some(&CODE)) => {
            answer.remove(0);
            Ok(Artefact::made_by_us(answer))
        }
        (true, Some(&SENTENCE)) => Err(LoadError::Sentence(clean(&String::from_utf8_lossy(&answer[1..])))),
        _ => Err(cause_of_death(end.status, &end.complaint, limits)),
    }
}

fn command(program: &Path, limits: CompileLimits) -> Command {
    let mut command = std::process::Command::new(program);
    command
        .arg0("hookway")
        .arg(CHILD_COMMAND)
        .args(["--cpu-seconds", &limits.cpu.as_secs().to_string()])
        .args(["--memory-bytes", &limits.memory_bytes.to_string()])
        .args(["--niceness", &limits.niceness.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get().min(MAX_THREADS));
    command.env("RAYON_NUM_THREADS", threads.to_string());
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

async fn talk(child: &mut Child, file: &[u8], limits: CompileLimits) -> io::Result<End> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("it has no pipes"));
    };
    let (_, answer, complaint) = tokio::join!(
        // A child that died does not read; why it died is told by its status.
        send(&mut stdin, file),
        // More cannot have been in its memory.
        read(stdout, limits.memory_bytes),
        read(stderr, MAX_COMPLAINT_BYTES),
    );
    let status = child.wait().await?;
    // Only now: the end of its input tells a child that it is alone.
    drop(stdin);
    let complaint = String::from_utf8_lossy(&complaint?).into_owned();
    Ok(End { status, answer: answer?, complaint })
}

async fn send(stdin: &mut (impl AsyncWrite + Unpin), file: &[u8]) -> io::Result<()> {
    stdin.write_all(&(file.len() as u64).to_le_bytes()).await?;
    stdin.write_all(file).await?;
    stdin.flush().await
}

async fn read(from: impl AsyncRead + Unpin, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn no_compiler(error: io::Error) -> LoadError {
    LoadError::NoCompiler(error.to_string())
}

fn cause_of_death(status: ExitStatus, complaint: &str, limits: CompileLimits) -> LoadError {
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return LoadError::CompileCpu(limits.cpu);
    }
    if OUT_OF_MEMORY.iter().any(|words| complaint.contains(words)) {
        return LoadError::CompileMemory(limits.memory_bytes);
    }
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    LoadError::Compile(clean(&format!("the compiler ended with {status} {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CompileLimits =
        CompileLimits { cpu: Duration::from_secs(20), memory_bytes: 1 << 30, niceness: 0 };

    #[test]
    fn each_death_has_its_sentence() {
        let of = |raw: i32, complaint: &str| {
            cause_of_death(ExitStatus::from_raw(raw), complaint, LIMITS).to_string()
        };
        assert!(of(Signal::XCPU.as_raw(), "").contains("20 s of processor time"));
        let abort = Signal::ABORT.as_raw();
        assert!(of(abort, "memory allocation of 8 bytes failed\n").contains("more than 1 GiB of memory"));
        let overflow = of(abort, "\nthread 'main' has overflowed its stack\n\n");
        assert!(overflow.ends_with("thread 'main' has overflowed its stack"), "{overflow}");
        assert!(of(Signal::KILL.as_raw(), "").contains("signal: 9"));
        assert!(
            of(101 << 8, "thread 'main' panicked\nat the \u{1b}[31mdisco")
                .contains("at the \\u{1b}[31mdisco")
        );
    }
}
