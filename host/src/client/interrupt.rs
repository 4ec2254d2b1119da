//! Ctrl-C as a question: what sends many events ends what is under way, says how far it came, and stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, thread};

/// Whether somebody pressed Ctrl-C. Clones ask the same.
#[derive(Debug, Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system does not allow it.
    pub(super) fn listen() -> io::Result<Self> {
        let pressed = Self(Arc::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let flag = Arc::clone(&pressed.0);
        thread::spawn(move || {
            if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
                flag.store(true, Ordering::Relaxed);
            }
        });
        Ok(pressed)
    }

    /// Whether to stop.
    pub(super) fn is_pressed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
