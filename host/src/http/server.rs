//! The accept loop: bounded connections, and no error of one of them stops it.
//!
//! `axum::serve` would do without these limits: it sets no timer, so half a header, a silent connection or a stalled
//! body hold a connection for ever.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::StatusCode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Guarded, drive};
use super::{Options, Peer, Problem};
use crate::shutdown::Shutdown;

/// After an error that would come again at once, as "too many open files": long enough not to spin, short enough that
/// clients hardly notice.
const PAUSE: Duration = Duration::from_millis(250);

/// Serves HTTP/1.1 on this listener until shutdown is requested; then takes no new connections, finishes the requests
/// in flight within `options.shutdown_timeout`, and returns.
pub async fn serve(listener: TcpListener, router: Router, options: Options, shutdown: Shutdown) {
    let router = with_fallbacks(router);
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
        let (service, options) = (Guarded::new(router.clone(), &options, peer), Arc::clone(&options));
        let (shutdown, cut_off) = (shutdown.clone(), cut_off.clone());
        connections.spawn(async move {
            let _slot = slot;
            let drive = drive(stream, service, &options, &shutdown);
            cut_off.run_until_cancelled(drive).await;
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(options.shutdown_timeout, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests did not finish in time and are cut off");
        cut_off.cancel();
        connections.wait().await;
    }
}

/// Unknown routes and methods are problems like all others.
fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(async || {
            Problem::not_found("there is no such route; see the list of routes in the documentation")
        })
        .method_not_allowed_fallback(async || {
            let detail = "this route does not take this method; the header `Allow` lists those it takes";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
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
