//! The collector at the other end of OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! It is the operator's, so no rule about addresses holds for it. Redirects are not followed and no proxy is taken from the environment.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::Duration;

use prost::Message as _;
use ureq::Agent;
use ureq::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::options::{Options, OptionsError};
use super::otlp::{ExportRequest, ExportResponse, Resource, ResourceSpans, Scope, ScopeSpans};
use super::span::{Span, attribute};

/// For one request, as OpenTelemetry's libraries have it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of an answer no more is read: it says how many spans were not taken, and why.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// The longest that it may have us wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
const NAME: &str = "hookway";

/// Takes spans.
pub(super) struct Collector {
    agent: Agent,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    resource: Resource,
}

/// Why spans were not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// They never will be.
    Final(String),
    /// They may be later: after this time, if it says so.
    Later(String, Option<Duration>),
}

impl Collector {
    /// That of these options; `None` if there is none.
    ///
    /// # Errors
    /// The options do not work.
    pub(super) fn new(options: &Options) -> Result<Option<Self>, OptionsError> {
        let Some(url) = options.target()? else { return Ok(None) };
        let header = |(name, value): (&String, &String)| match (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            (Ok(name), Ok(value)) => Ok((name, value)),
            _ => Err(OptionsError::Header(name.clone())),
        };
        let headers = options.headers.iter().map(header).collect::<Result<_, _>>()?;
        let roots = match &options.ca_file {
            Some(path) => {
                authorities(path).map_err(|why| OptionsError::CaFile { path: path.clone(), why })?
            }
            None => RootCerts::WebPki,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(concat!("hookway/", env!("CARGO_PKG_VERSION")))
            .build();
        let attributes = vec![
            attribute("service.name", options.service_name.as_str()),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let resource = Resource { attributes };
        Ok(Some(Self { agent: config.into(), url: url.into(), headers, resource }))
    }

    /// Spans as they are sent.
    pub(super) fn encode(&self, spans: Vec<Span>) -> Vec<u8> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let scope = Scope { name: NAME.to_owned(), version };
        let scope_spans =
            ScopeSpans { scope: Some(scope), spans: spans.into_iter().map(|span| span.0).collect() };
        let resource_spans =
            ResourceSpans { resource: Some(self.resource.clone()), scope_spans: vec![scope_spans] };
        ExportRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
    }

    /// Sends them, and says how many were not taken. Blocks.
    pub(super) fn post(&self, body: &[u8]) -> Result<usize, Refusal> {
        let request = self.agent.post(&self.url).header(CONTENT_TYPE, "application/x-protobuf");
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let mut answer = request.send(body).map_err(|error| Refusal::Later(error.to_string(), None))?;
        let status = answer.status();
        if !status.is_success() {
            let said = format!("it answered {status}");
            return Err(if is_passing(status) {
                Refusal::Later(said, retry_after(&answer))
            } else {
                Refusal::Final(said)
            });
        }
        // Whatever the answer is: the spans were taken.
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().unwrap_or_default();
        let said = ExportResponse::decode(body.as_slice()).unwrap_or_default();
        let rejected = said.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(usize::try_from(rejected).unwrap_or_default())
    }
}

/// The statuses after which the standard has a client try again.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(answer: &Response<ureq::Body>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn authorities(path: &Path) -> Result<RootCerts, String> {
    let text = |error: &dyn Display| error.to_string();
    let pem = fs::read(path).map_err(|error| text(&error))?;
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| text(&error))? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err("it has none".to_owned()) } else { Ok(RootCerts::new_with_certs(&found)) }
}
