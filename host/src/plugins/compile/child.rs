//! The process that compiles: what the hidden command does.
//!
//! It limits itself before it reads the first byte of the file. Standard input has the length of the file (8 bytes, little
//! endian) and the file, and stays open as long as the gateway lives: its end ends this process. Standard output gets one
//! byte that says what follows, then the machine code or a sentence.

use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use wasmtime::Engine;

use super::CompileLimits;
use super::build::build;
use crate::plugins::engine::config;
use crate::plugins::error::LoadError;
use crate::plugins::text::clean;

/// What follows is machine code.
pub(super) const CODE: u8 = b'C';
/// What follows is a sentence that says why there is none.
pub(super) const SENTENCE: u8 = b'S';
/// Its pipes, and what the standard library opens to count processors.
const MAX_OPEN_FILES: u64 = 16;

/// Compiles the file on standard input under the limits.
///
/// # Errors
/// The pipes are no pipes of a gateway, or the limits cannot be set. A file that cannot be compiled is an answer.
pub fn compile_as_child(limits: CompileLimits) -> io::Result<()> {
    restrict(limits)?;
    let file = receive(&mut io::stdin().lock())?;
    std::thread::Builder::new().name("lifeline".to_owned()).spawn(end_with_the_gateway)?;
    let built = engine().and_then(|engine| build(&engine, &file));
    let (kind, content) = match &built {
        Ok(code) => (CODE, code.as_slice()),
        Err(error) => (SENTENCE, &*error.to_string().into_bytes()),
    };
    let mut out = io::stdout().lock();
    out.write_all(&[kind])?;
    out.write_all(content)?;
    out.flush()
}

/// Without the pool of instances: nothing is run here, and the code is the same.
fn engine() -> Result<Engine, LoadError> {
    Engine::new(&config()).map_err(|error| LoadError::Compile(clean(&format!("{error:#}"))))
}

fn restrict(limits: CompileLimits) -> io::Result<()> {
    close_inherited();
    let cpu = limits.cpu.max(Duration::from_secs(1)).as_secs();
    // The signal of the soft limit says which limit it was; the hard one is for a process that lives through it.
    setrlimit(Resource::Cpu, Rlimit { current: Some(cpu), maximum: Some(cpu + 1) })?;
    for (resource, most) in [
        (Resource::As, limits.memory_bytes),
        (Resource::Core, 0),
        // Pipes are no files: nothing can be written to a disk.
        (Resource::Fsize, 0),
        (Resource::Nofile, MAX_OPEN_FILES),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // Last, so that who sees it from outside knows that the limits hold.
    nice(limits.niceness)?;
    Ok(())
}

/// Closes what the gateway was started with and did not know of: its own files are closed when a program is started, those
/// of a careless shell or supervisor are not.
#[expect(
    unsafe_code,
    reason = "a descriptor that nobody in this process opened has no safe owner to close it"
)]
fn close_inherited() {
    let listed = std::fs::read_dir("/dev/fd").into_iter().flatten();
    let numbers: Vec<RawFd> =
        listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The one that was opened to list them is closed by now.
    let is_open = |fd: &RawFd| std::fs::read_link(format!("/dev/fd/{fd}")).is_ok();
    for fd in numbers.into_iter().filter(|&fd| fd > 2).filter(is_open) {
        // SAFETY: `from_raw_fd` asks for an open descriptor that nobody else owns. It is open, and this runs first in a
        // process of one thread that has opened nothing yet.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}

fn receive(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut file = Vec::new();
    if from.take(length).read_to_end(&mut file)? as u64 == length {
        Ok(file)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// A gateway that was killed cannot kill its child.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a process for one file, and nobody waits for it any more"
)]
fn end_with_the_gateway() {
    let _ = io::stdin().lock().read(&mut [0]);
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_breaks_off_is_no_file() {
        let sent = |length: u64, file: &[u8]| [&length.to_le_bytes(), file].concat();
        assert_eq!(receive(&mut &*sent(3, b"abc")).unwrap(), b"abc");
        for broken in [sent(4, b"abc"), sent(u64::MAX, b"abc"), b"abc".to_vec(), Vec::new()] {
            assert_eq!(receive(&mut &*broken).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
