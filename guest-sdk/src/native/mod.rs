//! Events and endpoints for unit tests: what the gateway gives a component, without a gateway.

pub(crate) mod http;
pub(crate) mod kv;
pub(crate) mod log;

use std::collections::BTreeMap;
use std::marker::PhantomData;

use crate::Value;

/// 2024-03-15T14:30:00Z: a fixed time, so tests are exact.
const TEST_TIMESTAMP_MS: u64 = 1_710_513_000_000;

/// An event that a test made. The lifetime is that of an event of the gateway and means nothing here.
#[derive(Debug, Clone)]
pub(crate) struct Event<'a> {
    id: String,
    topic: String,
    tenant: String,
    timestamp_ms: u64,
    data: Vec<u8>,
    body: Option<Vec<u8>>,
    host: PhantomData<&'a ()>,
}

/// An endpoint that a test made.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint<'a> {
    id: String,
    url: String,
    metadata: BTreeMap<String, String>,
    host: PhantomData<&'a ()>,
}

/// For unit tests; not there when compiled to WebAssembly.
impl crate::Event<'static> {
    /// An event of the tenant `default` with this topic and `data`, at a fixed time.
    ///
    /// ```
    /// use hookway_plugin::{Event, Value, json};
    ///
    /// let event = Event::test("orders/created", json!({"total": 5})).with_tenant("acme").with_id("order-7");
    /// assert_eq!(event.get("/total"), Some(Value::Number(5.0)));
    /// assert_eq!((event.tenant(), event.id()), ("acme".to_owned(), "order-7".to_owned()));
    /// ```
    #[must_use]
    pub fn test(topic: &str, data: serde_json::Value) -> Self {
        Self(Event {
            id: "evt_test".into(),
            topic: topic.into(),
            tenant: "default".into(),
            timestamp_ms: TEST_TIMESTAMP_MS,
            data: data.to_string().into_bytes(),
            body: None,
            host: PhantomData,
        })
    }

    /// The same event with this id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.0.id = id.into();
        self
    }

    /// The same event of this tenant.
    #[must_use]
    pub fn with_tenant(mut self, tenant: &str) -> Self {
        self.0.tenant = tenant.into();
        self
    }

    /// The same event at this time, in milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn with_timestamp_ms(mut self, timestamp_ms: u64) -> Self {
        self.0.timestamp_ms = timestamp_ms;
        self
    }

    /// The same event with exactly these bytes as `data`, for what [`json!`](crate::json) cannot say: key order,
    /// spaces, numbers of 30 digits.
    #[must_use]
    pub fn with_data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.0.data = data.as_ref().to_vec();
        self
    }

    /// The same event after an earlier transform made this body of it.
    #[must_use]
    pub fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.0.body = Some(body.as_ref().to_vec());
        self
    }
}

/// For unit tests; not there when compiled to WebAssembly.
impl Clone for crate::Event<'static> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// For unit tests; not there when compiled to WebAssembly.
impl crate::Endpoint<'static> {
    /// An endpoint `ep_test` at `https://receiver.example/hook` without metadata.
    ///
    /// ```
    /// use hookway_plugin::Endpoint;
    ///
    /// let endpoint = Endpoint::test().with_metadata("plan", "gold");
    /// assert_eq!(endpoint.metadata("plan").as_deref(), Some("gold"));
    /// assert_eq!(endpoint.url(), "https://receiver.example/hook");
    /// ```
    #[must_use]
    pub fn test() -> Self {
        Self(Endpoint {
            id: "ep_test".into(),
            url: "https://receiver.example/hook".into(),
            metadata: BTreeMap::new(),
            host: PhantomData,
        })
    }

    /// The same endpoint with this target URL.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.0.url = url.into();
        self
    }

    /// The same endpoint with one more value of metadata.
    #[must_use]
    pub fn with_metadata(mut self, name: &str, value: &str) -> Self {
        self.0.metadata.insert(name.into(), value.into());
        self
    }
}

impl Event<'_> {
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }

    pub(crate) fn topic(&self) -> String {
        self.topic.clone()
    }

    pub(crate) fn tenant(&self) -> String {
        self.tenant.clone()
    }

    pub(crate) fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    pub(crate) fn data(&self) -> Vec<u8> {
        self.data.clone()
    }

    pub(crate) fn get(&self, pointer: &str) -> Option<Value> {
        let data: serde_json::Value = serde_json::from_slice(&self.data).ok()?;
        data.pointer(pointer).map(Value::from)
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        self.body.clone().unwrap_or_else(|| self.envelope())
    }

    fn envelope(&self) -> Vec<u8> {
        let Self { topic, id, .. } = self;
        let ms = i64::try_from(self.timestamp_ms).unwrap_or(i64::MAX);
        let timestamp = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
        let head = format!(r#"{{"event":"{topic}","event_id":"{id}","timestamp":"{timestamp}","data":"#);
        [head.as_bytes(), &self.data, b"}"].concat()
    }
}

impl Endpoint<'_> {
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn metadata(&self, name: &str) -> Option<String> {
        self.metadata.get(name).cloned()
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(value) => Self::Number(value.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(value) => Self::Text(value.clone()),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => Self::Json(value.to_string()),
        }
    }
}
