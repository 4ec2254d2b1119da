//! The accept loop: bounded connections, and no error of one of them stops it.
//!
//! `axum::serve` would do without these limits: it sets no timer, so half a header, a silent connection or a stalled
//! body hold a connection for ever.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Guarded, drive};
use super::{Front, Options, Peer};
use crate::alarm::Alarm;
use crate::shutdown::Shutdown;

/// After an error that would come again at once, as "too many open files": long enough not to spin, short enough that
/// clients hardly notice.
const PAUSE: Duration = Duration::from_millis(250);

/// Serves HTTP/1.1 on this listener until shutdown is requested; then takes no new connections, finishes the requests
/// in flight, cuts off those that are not finished when it is over, and returns.
pub async fn serve(listener: TcpListener, front: Front, options: Options, shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(options.max_connections.get() as usize));
    let options = Arc::new(options);
    let connections = TaskTracker::new();
    let cut_off = CancellationToken::new();
    loop {
        // The slot comes first: what cannot be served stays in the kernel's backlog.
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            (slot, accept(&listener).await)
        };
        let (slot, (stream, peer)) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.requested() => break,
        };
        let (service, options) = (Guarded::new(front.clone(), &options, peer), Arc::clone(&options));
        let (shutdown, cut_off) = (shutdown.clone(), cut_off.clone());
        let open = front.traffic().connected();
        connections.spawn(async move {
            let (_slot, _open) = (slot, open);
            let drive = drive(stream, service, &options, &shutdown);
            Alarm::new(cut_off.cancelled()).interrupting(drive).await;
        });
    }
    drop(listener);
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = shutdown.over() => {
            tracing::warn!(connections = connections.len(), "requests did not finish in time and are cut off");
            cut_off.cancel();
            connections.wait().await;
        }
    }
}

/// The next connection and its other end, whatever happens in between.
async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Answers are written whole; waiting to fill a packet would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot set TCP_NODELAY");
                }
                return (stream, Peer(address.ip().to_canonical()));
            }
            Err(error) if concerns_one_connection(&error) => {
                tracing::debug!(%error, "a connection was gone before it was accepted");
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; if files ran out, raise `ulimit -n`");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests;
