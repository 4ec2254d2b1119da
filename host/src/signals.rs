//! What the process is told from outside.

use std::io;

use hookway::shutdown::{Options, Shutdown};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    async fn came(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }
}

/// SIGHUP: the settings are to be read again. One that comes before anybody listens is kept.
pub(crate) struct HangUps(Signal);

impl HangUps {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system does not allow to listen to signals.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Resolves when one came.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// The first SIGTERM or SIGINT drains; a second one ends the process at once, and so does the end of the time for a stop. That loses
/// nothing either.
///
/// # Errors
/// The system does not allow to listen to signals.
pub(crate) fn stop_on_signal(shutdown: Shutdown, options: Options) -> io::Result<()> {
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut stop = Stop { terminate, interrupt };
    tokio::spawn(async move {
        stop.came().await;
        tracing::info!("stopping: no new requests, ending what is under way");
        shutdown.announce();
        tokio::select! {
            () = tokio::time::sleep(options.delay) => shutdown.request(),
            () = stop.came() => exit_at_once(),
        }
        tokio::select! {
            () = stop.came() => exit_at_once(),
            () = tokio::time::sleep(options.after_delay()) => {
                tracing::error!("the stop took longer than `shutdown.timeout`; what is not done is done after the next start");
                exit();
            }
        }
    });
    Ok(())
}

fn exit_at_once() {
    tracing::warn!("stopping at once; what is not done is done after the next start");
    exit();
}

#[expect(clippy::disallowed_methods, reason = "the one place that ends the process")]
fn exit() {
    std::process::exit(1);
}
