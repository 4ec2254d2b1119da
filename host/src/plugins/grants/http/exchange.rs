//! One request of a guest: checked, sent, and answered whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, timeout_at};
use url::Url;
use wasmtime_wasi_http::{Error, WasiBody};

use super::meter::UnderWay;
use super::{HttpAccess, Meter, OutboundError, OutboundRequest};
use crate::model::{AttemptErrorClass, normalised_url};
use crate::plugins::manifest::HttpHost;
use crate::plugins::text::clean;

/// A request that may be made.
pub(super) struct Exchange {
    pub(super) access: Arc<HttpAccess>,
    pub(super) call: Meter,
    pub(super) target: Target,
    pub(super) request: Request<WasiBody>,
    pub(super) deadline: Instant,
    pub(super) _under_way: UnderWay,
}

/// To where.
pub(super) struct Target {
    url: Url,
    host: HttpHost,
}

/// Why there is no answer. The sentences stand in the plugin's log; they name the host, never path, query or headers, which
/// may hold what is secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("http: the plugin has no grant")]
    NoGrant,
    #[error("http: the request has no URL that can be used")]
    Url,
    #[error("http: nothing was sent: tunnels (`CONNECT`) are not made")]
    Method,
    #[error("http: nothing was sent to {0}: the host and port are not among `grants.http.hosts`")]
    Host(String),
    #[error("http: nothing was sent: one call may make {most} requests")]
    TooMany { most: u32 },
    #[error("http: nothing was sent to {0}: its other requests under way are as many as there may be")]
    Busy(HttpHost),
    #[error("http: nothing was sent to {host}: the body is larger than {most} bytes")]
    RequestBody { host: HttpHost, most: usize },
    #[error("http: nothing was sent to {0}: the plugin did not finish the body in time")]
    UnfinishedBody(HttpHost),
    #[error("http: the call ended before {0} answered")]
    Ended(HttpHost),
    #[error("http: the body of the answer of {host} is larger than {most} bytes")]
    ResponseBody { host: HttpHost, most: usize },
    #[error("http: no answer of {host}: {message}")]
    Failed { host: HttpHost, class: AttemptErrorClass, message: String },
}

/// The target of a request, if it is one of these hosts.
pub(super) fn target(request: &Request<WasiBody>, hosts: &BTreeSet<HttpHost>) -> Result<Target, Refused> {
    if *request.method() == Method::CONNECT {
        return Err(Refused::Method);
    }
    // One parser decides what is compared and what is connected to.
    let url = normalised_url(&request.uri().to_string()).map_err(|_| Refused::Url)?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(Refused::Url);
    };
    let host = HttpHost { host: host.to_owned(), port };
    if hosts.contains(&host) {
        Ok(Target { url, host })
    } else {
        Err(Refused::Host(clean(&host.to_string())))
    }
}

impl Exchange {
    /// Sends it and reads the whole answer, until the deadline or the end of the call.
    pub(super) async fn run(self) -> Result<Response<WasiBody>, Refused> {
        let Self { access, call, target: Target { url, host }, request, deadline, _under_way } = self;
        let sending = async {
            let permit = timeout_at(deadline, access.permits.acquire()).await;
            let _permit = permit.map_err(|_| Refused::Busy(host.clone()))?;
            send(&access, url, &host, request, deadline).await
        };
        tokio::select! {
            answer = sending => answer.map(|answer| answer.map(whole)),
            () = call.ended() => Err(Refused::Ended(host.clone())),
        }
    }
}

async fn send(
    access: &HttpAccess,
    url: Url,
    host: &HttpHost,
    request: Request<WasiBody>,
    deadline: Instant,
) -> Result<Response<Bytes>, Refused> {
    let (mut head, body) = request.into_parts();
    let max_request_bytes = access.limits.max_request_bytes;
    let body = timeout_at(deadline, collect(body, host, max_request_bytes)).await;
    let body = body.map_err(|_| Refused::UnfinishedBody(host.clone()))??;
    // It is known now, and what the guest said of it need not be right.
    head.headers.remove(CONTENT_LENGTH);
    let max_response_bytes = access.limits.max_response_bytes;
    let request = OutboundRequest {
        method: head.method,
        url,
        headers: head.headers,
        body,
        deadline,
        max_response_bytes,
    };
    let answer = access.outbound.send(request).await;
    answer.map_err(|error| match error {
        OutboundError::TooLarge => Refused::ResponseBody { host: host.clone(), most: max_response_bytes },
        OutboundError::Failed(error) => {
            Refused::Failed { host: host.clone(), class: error.class, message: error.message }
        }
    })
}

/// The whole body of a request. What the guest has not written yet is waited for.
async fn collect(mut body: WasiBody, host: &HttpHost, most: usize) -> Result<Bytes, Refused> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Refused::UnfinishedBody(host.clone())) };
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > most {
            return Err(Refused::RequestBody { host: host.clone(), most });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn whole(body: Bytes) -> WasiBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let size = |most: usize| Some(u64::try_from(most).unwrap_or(u64::MAX));
        match refused {
            Refused::NoGrant | Refused::Host(_) | Refused::TooMany { .. } => Self::HttpRequestDenied,
            Refused::Url => Self::HttpRequestUriInvalid,
            Refused::Method => Self::HttpRequestMethodInvalid,
            Refused::Busy(_) => Self::ConnectionLimitReached,
            Refused::RequestBody { most, .. } => Self::HttpRequestBodySize(size(most)),
            Refused::UnfinishedBody(_) => Self::ConnectionWriteTimeout,
            Refused::Ended(_) => Self::ConnectionTerminated,
            Refused::ResponseBody { most, .. } => Self::HttpResponseBodySize(size(most)),
            Refused::Failed { class, .. } => of_class(class),
        }
    }
}

fn of_class(class: AttemptErrorClass) -> Error {
    match class {
        AttemptErrorClass::Forbidden => Error::DestinationIpProhibited,
        AttemptErrorClass::Dns => Error::DnsError { rcode: None, info_code: None },
        AttemptErrorClass::Connect => Error::ConnectionRefused,
        AttemptErrorClass::ConnectTimeout => Error::ConnectionTimeout,
        AttemptErrorClass::Tls => Error::TlsCertificateError,
        AttemptErrorClass::TlsTimeout => Error::TlsProtocolError,
        AttemptErrorClass::Protocol => Error::HttpProtocolError,
        AttemptErrorClass::ResponseTimeout | AttemptErrorClass::BodyTimeout => Error::HttpResponseTimeout,
    }
}
