//! `hookway listen`: a receiver for trying things out. It prints each request, says whether its signature is right,
//! and answers as it is told.

mod report;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use self::report::{Check, Received};
use super::World;
use super::duration::Duration;
use super::error::Error;
use super::output::{Output, hint};
use super::sign::SecretArgs;
use crate::clock::Clock;

/// The largest body that is taken: sixteen times what a gateway takes unless its settings say otherwise.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Reports that wait to be printed; senders wait when it is full.
const REPORTS: usize = 64;
/// What `--fail-first` answers.
const FAILURE: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

const EXAMPLES: &str = "\
Examples:
  hookway listen                                        print what arrives at http://127.0.0.1:9000, answer 200
  hookway listen --secret-file acme.secret              say of each request whether its signature is right
  hookway listen --fail-first 3 --delay 2s              fail three times, each answer after two seconds
  hookway listen --status 200,201,500,200               one answer after the other; the last one from then on";

/// How to listen and what to answer.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListenArgs {
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The address.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    #[command(flatten)]
    secrets: SecretArgs,
    /// How far `webhook-timestamp` may be from now.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    tolerance: Duration,
    /// The status of each answer; of several, one after the other, and the last from then on.
    #[arg(long, value_name = "CODE,...", default_value = "200", value_delimiter = ',')]
    status: Vec<StatusCode>,
    /// How long to wait before each answer; several as with `--status`.
    #[arg(long, value_name = "DURATION,...", default_value = "0s", value_delimiter = ',')]
    delay: Vec<Duration>,
    /// Answer the first N requests with 500.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail_first: usize,
    /// Print one JSON object for each request.
    #[arg(long)]
    json: bool,
}

/// What every connection shares.
struct Receiver {
    check: Check,
    clock: Clock,
    statuses: Vec<StatusCode>,
    delays: Vec<Duration>,
    fail_first: usize,
    arrived: AtomicUsize,
    reports: mpsc::Sender<Received>,
}

pub(super) fn run(args: ListenArgs, world: World) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Failed(format!("cannot listen: {error}")))?;
    runtime.block_on(listen(args, world))
}

async fn listen(args: ListenArgs, world: World) -> Result<(), Error> {
    let address = SocketAddr::new(args.bind, args.port);
    let failed = |error| Error::Failed(format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut out = Output::standard(&world.environment, args.json);
    let greeting = format!("listening on http://{address}");
    if args.json {
        hint(&greeting);
    } else {
        out.line(greeting)?;
    }
    let (reports, mut incoming) = mpsc::channel(REPORTS);
    let receiver = Arc::new(Receiver {
        check: Check::new(args.secrets.keys()?, args.tolerance.into()),
        clock: world.clock,
        statuses: args.status,
        delays: args.delay,
        fail_first: args.fail_first,
        arrived: AtomicUsize::new(0),
        reports,
    });
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            // A connection that was gone before it was accepted is nobody's loss.
            Ok((stream, _)) = listener.accept() => { tokio::spawn(Arc::clone(&receiver).serve(stream)); }
            Some(received) = incoming.recv() => {
                if args.json { out.json(&received.json())? } else { out.lines(received.lines())? }
            }
            _ = &mut stop => return Ok(()),
        }
    }
}

impl Receiver {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let answer = service_fn(|request| self.answer(request));
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
        if let Err(error) = connection.await {
            hint(&format!("a connection ended early: {error}"));
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            hint("a request was too large or broke off");
            return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let (status, delay) = self.answer_to(self.arrived.fetch_add(1, Ordering::Relaxed));
        let received = Received::new(&head, body.to_bytes(), &self.check, self.clock.wall(), status);
        // The printer has gone only when the process ends.
        let _ = self.reports.send(received).await;
        tokio::time::sleep(delay).await;
        Ok(empty(status))
    }

    /// The status of the answer to the request of this number, counted from 0, and how long it takes. Requests that fail
    /// first come before those that the lists are about.
    fn answer_to(&self, request: usize) -> (StatusCode, std::time::Duration) {
        let delay = nth(&self.delays, request).copied().map(Into::into).unwrap_or_default();
        match request.checked_sub(self.fail_first) {
            None => (FAILURE, delay),
            Some(request) => (nth(&self.statuses, request).copied().unwrap_or_default(), delay),
        }
    }
}

/// The element of this number, or the last.
fn nth<T>(list: &[T], number: usize) -> Option<&T> {
    list.get(number).or(list.last())
}

fn empty(status: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    response
}
