//! A gateway for a benchmark to ask, in the benchmark's own process.

use hookway::app::{App, Ended, early_router};
use hookway::http::{self, Front};
use hookway::shutdown::Shutdown;
use tokio::net::TcpListener;

/// Serves at this listener until it is told to stop.
pub(crate) async fn serve(app: App, listener: TcpListener, options: http::Options, stop: Shutdown) -> Ended {
    let front = Front::closed(early_router("the benchmark starts", &stop));
    tokio::spawn(http::serve(listener, front.clone(), options, stop));
    app.serve(&front, None).end().await
}
