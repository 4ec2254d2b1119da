//! The HTTP API from the other side: one request, one answer, as text, so that `--json` prints what was sent.
//!
//! - The key goes to the gateway that was named and nowhere else: redirects are not followed, and no proxy is taken
//!   from the environment.
//! - Every request has a time limit.

use std::fmt::Display;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use ureq::http::{Method, Request, Response, request};
use ureq::{Agent, AsSendBody, Body, BodyReader};
use url::Url;

use super::error::{Error, Problem};
use super::output::not_understood;

/// Far more than the largest answer: 250 events of the default limit.
const MAX_ANSWER_BYTES: u64 = 512 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// As long as the gateway takes to compile the largest plugin, and another one before it.
const PATIENCE: Duration = Duration::from_mins(10);

/// One gateway, asked with one key.
pub(super) struct Api {
    agent: Agent,
    base: Url,
    key: Option<String>,
    timeout: Duration,
}

/// What is asked for: a path and a query.
#[derive(Debug, Clone)]
pub(super) struct Route(Url);

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    /// The elements as they were written.
    pub(super) data: Vec<Box<RawValue>>,
    /// Where the next page begins.
    pub(super) next_cursor: Option<String>,
}

impl Api {
    /// The gateway at this address.
    pub(super) fn new(base: Url, key: Option<String>, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .timeout_global(Some(timeout))
            .user_agent(concat!("hookway/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), base, key, timeout }
    }

    /// The route with these segments; each is encoded, whatever it holds.
    pub(super) fn at(&self, segments: &[&str]) -> Route {
        self.below(&[&["v1"], segments].concat())
    }

    /// Whether it takes events.
    pub(super) fn readiness(&self) -> Route {
        self.below(&["readyz"])
    }

    fn below(&self, segments: &[&str]) -> Route {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Route(url)
    }

    /// GET.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn get(&self, route: &Route) -> Result<String, Error> {
        self.call(Method::GET, route, None)
    }

    /// GET of something that is read here.
    ///
    /// # Errors
    /// No answer, a refusal, or another form.
    pub(super) fn read<T: DeserializeOwned>(&self, route: &Route) -> Result<T, Error> {
        serde_json::from_str(&self.get(route)?).map_err(|error| not_understood(&error))
    }

    /// POST, with JSON if there is any.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn post(&self, route: &Route, json: Option<String>) -> Result<String, Error> {
        self.call(Method::POST, route, json.map(|json| ("application/json", json)))
    }

    /// PUT.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn put(&self, route: &Route, json: String) -> Result<String, Error> {
        self.call(Method::PUT, route, Some(("application/json", json)))
    }

    /// PATCH.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn patch(&self, route: &Route, json: String) -> Result<String, Error> {
        self.call(Method::PATCH, route, Some(("application/json", json)))
    }

    /// DELETE.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn delete(&self, route: &Route) -> Result<String, Error> {
        self.call(Method::DELETE, route, None)
    }

    /// Any request; the body goes with its media type.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn call(
        &self,
        method: Method,
        route: &Route,
        body: Option<(&str, String)>,
    ) -> Result<String, Error> {
        let request = self.request(method, route);
        let answer = match body {
            Some((media, body)) => {
                request.header("content-type", media).body(body).map(|request| self.agent.run(request))
            }
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let answer = answer.map_err(|error| Error::Usage(format!("this cannot be sent: {error}")))?;
        self.read_answer(answer.map_err(|error| self.no_answer(&error))?)
    }

    /// A request that is answered once a plugin is compiled and tried. It has at least [`PATIENCE`], whatever others have.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn call_patiently(
        &self,
        method: Method,
        route: &Route,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<String, Error> {
        let (media, body) = body.unwrap_or(("application/octet-stream", Vec::new()));
        let request = self.request(method, route).header("content-type", media).body(body);
        let request = request.map_err(|error| Error::Usage(format!("this cannot be sent: {error}")))?;
        let patience = self.timeout.max(PATIENCE);
        let request = self.agent.configure_request(request).timeout_global(Some(patience)).build();
        self.read_answer(self.agent.run(request).map_err(|error| self.no_answer(&error))?)
    }

    /// GET of an answer that goes on, until nothing comes for so long. `last_id`: what was read last.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn follow(
        &self,
        route: &Route,
        last_id: Option<&str>,
        silence: Duration,
    ) -> Result<BodyReader<'static>, Error> {
        let mut request = self.request(Method::GET, route);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        self.read_on(request.body(()), silence)
    }

    /// POST whose answer goes on, until nothing comes for so long; the body goes with its media type.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) fn post_and_follow(
        &self,
        route: &Route,
        body: Option<(String, Vec<u8>)>,
        silence: Duration,
    ) -> Result<BodyReader<'static>, Error> {
        let request = self.request(Method::POST, route);
        match body {
            Some((media, bytes)) => self.read_on(request.header("content-type", media).body(bytes), silence),
            None => self.read_on(request.body(()), silence),
        }
    }

    fn request(&self, method: Method, route: &Route) -> request::Builder {
        let request = Request::builder().method(method).uri(route.0.as_str());
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    fn read_on(
        &self,
        request: Result<Request<impl AsSendBody>, ureq::http::Error>,
        silence: Duration,
    ) -> Result<BodyReader<'static>, Error> {
        let request = request.map_err(|error| Error::Usage(format!("this cannot be sent: {error}")))?;
        let request = self.agent.configure_request(request);
        let request = request.timeout_global(None).timeout_per_read(Some(silence)).build();
        let answer = self.agent.run(request).map_err(|error| self.no_answer(&error))?;
        if answer.status().is_success() {
            return Ok(answer.into_body().into_reader());
        }
        Err(self.read_answer(answer).err().unwrap_or_else(|| Error::Failed("nothing came".to_owned())))
    }

    fn read_answer(&self, answer: Response<Body>) -> Result<String, Error> {
        let (head, mut body) = answer.into_parts();
        let text = body.with_config().limit(MAX_ANSWER_BYTES).lossy_utf8(false).read_to_string();
        let text = text.map_err(|error| self.no_answer(&error))?;
        if head.status.is_success() {
            return Ok(text);
        }
        Err(serde_json::from_str::<Problem>(&text).map_or_else(
            |_| {
                let base = &self.base;
                let status = head.status;
                Error::Failed(format!("{base} answered {status} and not as a gateway does; is it Hookway?"))
            },
            Error::Problem,
        ))
    }

    fn no_answer(&self, error: &ureq::Error) -> Error {
        let base = &self.base;
        Error::Unreachable(format!(
            "no answer from {base}: {error}; does the gateway run, and is the address right?"
        ))
    }
}

impl Route {
    /// With this parameter, if there is a value.
    pub(super) fn with(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.0.query_pairs_mut().append_pair(name, &value.to_string());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_cannot_leave_its_place() {
        let api = |base: &str| Api::new(base.parse().unwrap(), None, CONNECT_TIMEOUT);
        let route = api("http://h:1").at(&["events", "a/b?c#d"]).with("tenant", Some("x&y"));
        assert_eq!(route.0.as_str(), "http://h:1/v1/events/a%2Fb%3Fc%23d?tenant=x%26y");
        let route = api("https://h/hookway/").at(&["keys"]).with("cursor", None::<&str>);
        assert_eq!(route.0.as_str(), "https://h/hookway/v1/keys");
        assert_eq!(api("https://h/hookway/").readiness().0.as_str(), "https://h/hookway/readyz");
    }
}
