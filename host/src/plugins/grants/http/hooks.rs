//! What an instance needs for `wasi:http`, and where its requests come out of the engine's implementation.

use std::future::Future;
use std::sync::Arc;

use http::header::{EXPECT, HOST, HeaderName, TE, TRAILER};
use http::uri::Scheme;
use http::{Request, Response};
use tokio::time::Instant;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::exchange::{Exchange, Refused, target};
use super::{HttpAccess, Meter};
use crate::model::EventId;
use crate::plugins::bindings::log::Level;
use crate::plugins::logs::LogSink;
use crate::plugins::state::State;

/// Headers of one request together, as they lie in memory.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// How much of a body the engine takes from the guest at a time.
const BODY_CHUNK_BYTES: usize = 64 << 10;
/// Beside those of the engine's own list: what belongs to the connection.
const FORBIDDEN: [HeaderName; 4] = [HOST, TE, TRAILER, EXPECT];

/// What an instance needs of the grant.
pub(in crate::plugins) struct HttpGuest {
    context: WasiHttpCtx,
    hooks: Hooks,
}

/// Where the requests of a guest come out.
struct Hooks {
    access: Option<Arc<HttpAccess>>,
    log: LogSink,
    call: Option<Meter>,
    /// What the call is about.
    event: Option<EventId>,
}

/// What `send_request` of the engine returns: the answer, and what is left to be done for it.
type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Rest), Error>> + Send>;
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl HttpGuest {
    pub(in crate::plugins) fn new(access: Option<Arc<HttpAccess>>, log: LogSink) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(MAX_HEADER_BYTES);
        Self { context, hooks: Hooks { access, log, call: None, event: None } }
    }

    /// A new call of the guest begins. The meter says how much longer than its own time it may take; without the grant, not
    /// at all.
    pub(in crate::plugins) fn begin_call(&mut self, event: Option<&EventId>) -> Option<Meter> {
        let limits = self.hooks.access.as_ref()?.limits;
        self.hooks.event = event.cloned();
        self.hooks.call = Some(Meter::new(limits.max_requests, limits.timeout));
        self.hooks.call.clone()
    }

    /// The meter of the call.
    pub(in crate::plugins) const fn call(&self) -> Option<&Meter> {
        self.hooks.call.as_ref()
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let HttpGuest { context, hooks } = &mut self.http;
        WasiHttpCtxView { ctx: context, table: &mut self.table, hooks }
    }
}

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || FORBIDDEN.contains(name))
    }

    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        // Whether plain HTTP is allowed is for the guard to say, which has a sentence for it.
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn set_host_header(&mut self) -> bool {
        // It is made from the URL that is connected to.
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        let (log, event) = (self.log.clone(), self.event.clone());
        let exchange = self.begin(request, options.unwrap_or_default());
        Box::new(async move {
            let answer = match exchange {
                Ok(exchange) => exchange.run().await,
                Err(refused) => Err(refused),
            };
            match answer {
                Ok(answer) => Ok((answer, Box::new(async { Ok(()) }) as Rest)),
                Err(refused) => {
                    log.write(Level::Warn, event.as_ref(), &refused.to_string());
                    Err(refused.into())
                }
            }
        })
    }
}

impl Hooks {
    fn begin(&self, request: Request<WasiBody>, options: RequestOptions) -> Result<Exchange, Refused> {
        let (Some(access), Some(call)) = (&self.access, &self.call) else { return Err(Refused::NoGrant) };
        let target = target(&request, &access.hosts)?;
        let most = access.limits.max_requests;
        let (under_way, deadline) = call.begin().ok_or(Refused::TooMany { most })?;
        // The guest may be less patient than its grant.
        let own = options.first_byte_timeout.map(|first| first + options.connect_timeout.unwrap_or_default());
        let deadline = own.map_or(deadline, |own| deadline.min(Instant::now() + own));
        Ok(Exchange {
            access: Arc::clone(access),
            call: call.clone(),
            target,
            request,
            deadline,
            _under_way: under_way,
        })
    }
}
