//! Keeps the memory of this process, which has keys and secrets in clear, out of files.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump from now on, and, on Linux, no look at the memory for other processes of the same user: a kernel that
/// hands dumps to a program asks for this and not for the limit.
///
/// # Errors
/// The system does not allow it; it always does.
pub(crate) fn forbid() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn neither_file_nor_pipe_gets_a_dump() {
        forbid().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
