//! What the gateway writes is its owner's alone: payloads of customers are in it.

/// From now on nobody else may read new files and folders of this process, or write to them.
pub(crate) fn make_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}
