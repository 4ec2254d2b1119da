//! The HTTP API as the tests and the demo use it.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::patience::{eventually, within};

/// Pages of the delivery log are read with the largest limit that the API has.
const PAGE: usize = 250;

/// Calls the API with one key. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
    check: Option<Check>,
}

/// Whether this may be the answer to a request of this method for this path.
pub type Check = Arc<dyn Fn(&Method, &str, &Answer) -> Result<()> + Send + Sync>;

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` when it is empty, a string when it is not JSON.
    pub body: Value,
}

/// An endpoint that was created.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// Its first secret, `whsec_...`.
    pub secret: String,
}

impl Client {
    /// A client for the gateway at `base` (`http://127.0.0.1:7400`).
    #[must_use]
    pub fn new(base: impl Into<String>, key: &str) -> Self {
        Self { http: reqwest::Client::new(), base: base.into(), key: Some(key.to_owned()), check: None }
    }

    /// The same with another key, or without one.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// The same, with every answer held against something.
    #[must_use]
    pub fn with_check(self, check: Check) -> Self {
        Self { check: Some(check), ..self }
    }

    /// GET.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, &[], None).await
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.call(Method::POST, path, &[("content-type", "application/json")], Some(body.to_string().into()))
            .await
    }

    /// PATCH of JSON.
    ///
    /// # Errors
    /// No answer.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        let json = [("content-type", "application/json")];
        self.call(Method::PATCH, path, &json, Some(body.to_string().into())).await
    }

    /// DELETE.
    ///
    /// # Errors
    /// No answer.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.call(Method::DELETE, path, &[], None).await
    }

    /// Any request with exactly these headers (and the key) and bytes.
    ///
    /// # Errors
    /// No answer, or one that the check does not let pass.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer> {
        let what = format!("{method} {path}");
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answering = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            anyhow::Ok(Answer { status, headers, body: as_json(&response.bytes().await?) })
        };
        let answer = within(&what, answering).await?.with_context(|| format!("{what} got no answer"))?;
        if let Some(check) = &self.check {
            check(&method, path, &answer)?;
        }
        Ok(answer)
    }

    /// GET of an answer that goes on.
    ///
    /// # Errors
    /// No answer.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Result<reqwest::Response> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        within(path, request.send()).await?.with_context(|| format!("GET {path} got no answer"))
    }

    /// POST of bytes whose answer goes on.
    ///
    /// # Errors
    /// No answer.
    pub async fn begin(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<reqwest::Response> {
        let mut request = self.http.post(format!("{}{path}", self.base)).body(body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        within(path, request.send()).await?.with_context(|| format!("POST {path} got no answer"))
    }

    /// Creates an endpoint.
    ///
    /// # Errors
    /// No answer, or another than 201.
    pub async fn create_endpoint(&self, endpoint: &Value) -> Result<Endpoint> {
        let body = self.post("/v1/endpoints", endpoint).await?.expect(StatusCode::CREATED)?.body;
        let text =
            |value: &Value| value.as_str().map(str::to_owned).context("an endpoint has an id and a secret");
        Ok(Endpoint { id: text(&body["id"])?, secret: text(&body["secrets"][0]["value"])? })
    }

    /// Posts one event and returns its id.
    ///
    /// # Errors
    /// No answer, or another than 202.
    pub async fn send(&self, topic: &str, data: &Value) -> Result<String> {
        self.send_event(&json!({ "event": topic, "data": data })).await
    }

    /// Posts one event as it stands and returns its id.
    ///
    /// # Errors
    /// No answer, or another than 202.
    pub async fn send_event(&self, event: &Value) -> Result<String> {
        let answer = self.post("/v1/events", event).await?.expect(StatusCode::ACCEPTED)?;
        Ok(answer.body["event_id"].as_str().context("a 202 names the event")?.to_owned())
    }

    /// An event with its deliveries.
    ///
    /// # Errors
    /// No answer, or another than 200.
    pub async fn event(&self, id: &str) -> Result<Value> {
        Ok(self.get(&format!("/v1/events/{id}")).await?.expect(StatusCode::OK)?.body)
    }

    /// A delivery with its attempts.
    ///
    /// # Errors
    /// No answer, or another than 200.
    pub async fn delivery(&self, id: &str) -> Result<Value> {
        Ok(self.get(&format!("/v1/deliveries/{id}")).await?.expect(StatusCode::OK)?.body)
    }

    /// All deliveries that pass the filter (`endpoint=...&status=held`), newest first, page after page.
    ///
    /// # Errors
    /// No answer, or another than 200.
    pub async fn deliveries(&self, filter: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/deliveries?{filter}&limit={PAGE}{cursor}");
            let mut page = self.get(&path).await?.expect(StatusCode::OK)?.body;
            all.append(page["data"].as_array_mut().context("a list has `data`")?);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    /// The delivery of an event to an endpoint, once it is in one of these states.
    ///
    /// # Errors
    /// It does not come to that in time.
    pub async fn delivery_in(&self, event: &str, endpoint: &str, states: &[&str]) -> Result<Value> {
        let filter = format!("event_id={event}&endpoint={endpoint}");
        let what = format!("the delivery of {event} to {endpoint} is {}", states.join(" or "));
        eventually(&what, || async {
            let mut found = self.deliveries(&filter).await?;
            found.retain(|one| one["status"].as_str().is_some_and(|status| states.contains(&status)));
            Ok(found.pop())
        })
        .await
    }

    /// The status of a plugin, once it is as wanted.
    ///
    /// # Errors
    /// It does not come to that in time.
    pub async fn plugin_when(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let path = format!("/v1/plugins/{name}");
        eventually(&format!("plugin {name}: {what}"), || async {
            let answer = self.get(&path).await?;
            Ok((answer.status == StatusCode::OK && wanted(&answer.body)).then_some(answer.body))
        })
        .await
    }

    /// The status of a plugin, once a version of it is live.
    ///
    /// # Errors
    /// It does not come to that in time.
    pub async fn plugin_active(&self, name: &str) -> Result<Value> {
        self.plugin_when(name, "is active", |status| status["state"] == "active").await
    }
}

/// Not the key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.base)
    }
}

impl Answer {
    /// The answer itself, if its status is the expected one.
    ///
    /// # Errors
    /// Another status, quoted with its body.
    pub fn expect(self, status: StatusCode) -> Result<Self> {
        ensure!(self.status == status, "expected {status}, got {}: {}", self.status, self.body);
        Ok(self)
    }

    /// Checks that the request was refused as bad input (400 or 422) with a problem that names `word`.
    ///
    /// # Errors
    /// It was not.
    pub fn expect_refusal(self, word: &str) -> Result<Self> {
        let status = if self.status == StatusCode::BAD_REQUEST { 400 } else { 422 };
        self.expect_problem(status, word)
    }

    /// Checks that this is a problem document (RFC 9457) with this status whose text or pointer names `word`.
    ///
    /// # Errors
    /// It is not.
    pub fn expect_problem(self, status: u16, word: &str) -> Result<Self> {
        let kind = self.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        ensure!(self.status.as_u16() == status, "expected {status}, got {}: {}", self.status, self.body);
        ensure!(kind.starts_with("application/problem+json"), "a problem is problem+json, not {kind:?}");
        ensure!(self.body["status"] == status, "the status stands in the body too: {}", self.body);
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        ensure!(!text("code").is_empty(), "a problem has a `code`: {}", self.body);
        ensure!(text("detail").contains(' '), "the `detail` of a problem is a sentence: {}", self.body);
        let named = text("detail").contains(word) || text("pointer").contains(word);
        ensure!(named, "the problem does not name {word:?}: {}", self.body);
        Ok(self)
    }
}

fn as_json(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: Value) -> Answer {
        let kind = http::HeaderValue::from_static("application/problem+json");
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind)]);
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body }
    }

    #[test]
    fn a_refusal_names_what_is_wrong() {
        let body = json!({ "status": 422, "code": "invalid", "detail": "no such field", "pointer": "/dta" });
        assert!(answer(422, body.clone()).expect_refusal("dta").is_ok());
        assert!(answer(422, body.clone()).expect_refusal("data").is_err());
        assert!(answer(202, body.clone()).expect_refusal("dta").is_err());
        assert!(answer(400, body).expect_refusal("dta").is_err(), "the status of the body is another");
        let bare = json!({ "status": 400, "code": "invalid", "detail": "invalid" });
        assert!(answer(400, bare).expect_refusal("").is_err(), "a word is not a sentence");
    }

    #[test]
    fn what_is_not_json_is_shown_as_text() {
        assert_eq!(as_json(b""), Value::Null);
        assert_eq!(as_json(b"{\"a\":1}"), json!({ "a": 1 }));
        assert_eq!(as_json(b"oops"), json!("oops"));
    }
}
