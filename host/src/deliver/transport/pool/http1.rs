//! A connection that carries one request at a time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::Id;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{Driver, MAX_AGE};
use crate::deliver::transport::connect::Stream;

/// How long a connection may take to be ready again after its answer was read. It is ready at once unless the
/// receiver answered before it had read the request.
const SETTLE_TIMEOUT: Duration = Duration::from_millis(50);
/// Response head and read buffer. The number of headers is limited to 100, hyper's default, which is cheaper than
/// the same limit when it is set.
const MAX_HEAD: usize = 64 * 1024;

/// A connection that speaks HTTP/1.1.
#[derive(Debug)]
pub(in crate::deliver::transport) struct Http1 {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) idle_since: Instant,
    pub(super) id: Id,
    opened: Instant,
    _task: AbortOnDropHandle<()>,
}

impl Http1 {
    /// Starts HTTP/1.1 on a new stream.
    pub(super) async fn open(stream: Stream, driver: Driver) -> hyper::Result<Self> {
        let mut http = Builder::new();
        http.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD);
        let (sender, connection) = http.handshake(TokioIo::new(stream)).await?;
        let task = tokio::spawn(driver.drive(connection));
        let (id, now) = (task.id(), Instant::now());
        Ok(Self { sender, idle_since: now, id, opened: now, _task: AbortOnDropHandle::new(task) })
    }

    /// Whether it can carry another request, once its answer was read to the end.
    pub(super) async fn is_reusable(&mut self) -> bool {
        let usable = self.sender.is_ready()
            || matches!(timeout(SETTLE_TIMEOUT, self.sender.ready()).await, Ok(Ok(())));
        usable && self.opened.elapsed() < MAX_AGE
    }
}
