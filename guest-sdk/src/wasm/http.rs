//! `wasi:http` of WASI 0.2, one request at a time.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

use crate::http::{Answer, Error, Request};

/// How much of a body is read or written at a time: what the gateway takes.
const CHUNK: usize = 4 << 10;

pub(crate) fn send(request: &Request) -> Result<Answer, Error> {
    let (scheme, rest) = request.url.split_once("://").ok_or_else(|| invalid("the URL has no scheme"))?;
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers.append(name, value).map_err(|error| invalid(&format!("header `{name}`: {error:?}")))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let set = outgoing
        .set_method(&method(&request.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme_of(scheme))))
        .and_then(|()| outgoing.set_authority(Some(authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(path.split('#').next().unwrap_or_default())));
    set.map_err(|()| invalid("the method or the URL is malformed"))?;
    let body = outgoing.body().map_err(|()| invalid("the body was taken before"))?;
    let pending = handle(outgoing, None).map_err(Error::from)?;
    write(body, &request.body)?;
    pending.subscribe().block();
    let answered = pending.get().ok_or_else(|| failed("the answer is not ready"))?;
    read(answered.map_err(|()| failed("the answer was taken before"))??)
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), Error> {
    {
        let stream = body.write().map_err(|()| failed("the body was taken before"))?;
        for chunk in bytes.chunks(CHUNK) {
            // The request may be over already; then the answer says why.
            if stream.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
    }
    // The same.
    let _ = OutgoingBody::finish(body, None);
    Ok(())
}

fn read(response: IncomingResponse) -> Result<Answer, Error> {
    let (status, headers) = (response.status(), response.headers().entries());
    let incoming = response.consume().map_err(|()| failed("the body was taken before"))?;
    let body = whole(&incoming)?;
    Ok(Answer { status, headers, body })
}

fn whole(incoming: &IncomingBody) -> Result<Vec<u8>, Error> {
    let stream = incoming.stream().map_err(|()| failed("the body was taken before"))?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(bytes) => body.extend_from_slice(&bytes),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(error)) => return Err(failed(&error.to_debug_string())),
        }
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "PATCH" => Method::Patch,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme_of(scheme: &str) -> Scheme {
    match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    }
}

fn invalid(why: &str) -> Error {
    Error::Invalid(why.to_owned())
}

fn failed(why: &str) -> Error {
    Error::Failed(why.to_owned())
}

impl From<ErrorCode> for Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "forty codes, of which some need a word of their own")]
    fn from(code: ErrorCode) -> Self {
        let text = format!("{code:?}");
        match code {
            ErrorCode::HttpRequestDenied
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::ConnectionLimitReached => Self::Denied(text),
            ErrorCode::HttpResponseTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::DnsTimeout => Self::Timeout(text),
            ErrorCode::HttpRequestBodySize(_) | ErrorCode::HttpResponseBodySize(_) => Self::TooLarge(text),
            ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => Self::Invalid(text),
            _ => Self::Failed(text),
        }
    }
}
