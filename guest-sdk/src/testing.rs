//! For unit tests, natively and without a gateway: plugins made as the gateway makes them, answers of others, and lines of the log.
//!
//! Events and endpoints are made by [`Event::test`](crate::Event::test) and [`Endpoint::test`](crate::Endpoint::test).
//! What [`kv`](crate::kv) keeps, what [`answer`] answers and what was logged belong to the thread of the test.
//!
//! ```
//! use hookway_plugin::{Endpoint, Error, Event, Filter, Verdict, json, testing};
//!
//! #[derive(serde::Deserialize)]
//! struct BigOrders { minimum: f64 }
//!
//! impl Filter for BigOrders {
//!     type Config = Self;
//!     fn new(config: Self) -> Result<Self, String> { Ok(config) }
//!     fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
//!         let total = event.get("/total").and_then(|v| v.as_f64()).unwrap_or(0.0);
//!         Ok(if total >= self.minimum { Verdict::Deliver } else { Verdict::drop("a small order") })
//!     }
//! }
//!
//! let plugin = testing::filter::<BigOrders>(json!({"minimum": 100}))?;
//! let event = Event::test("orders/created", json!({"total": 99.5}));
//! assert_eq!(plugin.filter(&event, &Endpoint::test()), Ok(Verdict::drop("a small order")));
//!
//! // A configuration that does not fit is refused in the words that its author will read.
//! let refused = testing::filter::<BigOrders>(json!({"minimum": "many"})).err().unwrap();
//! assert_eq!(refused, r#"`minimum` must be a number, not the text "many""#);
//! # Ok::<(), String>(())
//! ```

use serde_json::Value;

use crate::config::parse;
use crate::http::{Answer, Error, Request};
use crate::log::Level;
use crate::{Filter, Outcome, TopicMatcher, Transform};

/// The filter with this configuration, as the gateway makes it.
///
/// # Errors
/// What a person reads who sets this configuration.
pub fn filter<F: Filter>(config: Value) -> Result<F, String> {
    F::new(parse(&config.to_string())?)
}

/// The transform with this configuration, as the gateway makes it.
///
/// # Errors
/// What a person reads who sets this configuration.
pub fn transform<T: Transform>(config: Value) -> Result<T, String> {
    T::new(parse(&config.to_string())?)
}

/// The matcher of an endpoint with these patterns.
///
/// # Errors
/// What a person reads who sets these patterns.
pub fn matcher<M: TopicMatcher>(patterns: &[&str]) -> Result<M, String> {
    let patterns: Vec<_> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    M::compile(&patterns)
}

/// From now on, requests of this thread are answered by `answer` rather than denied.
///
/// ```
/// use hookway_plugin::{http::{Answer, Request}, testing};
///
/// testing::answer(|request| {
///     assert_eq!((request.method(), request.url()), ("GET", "https://api.example.com/rates"));
///     Ok(Answer { status: 200, headers: Vec::new(), body: b"1.07".to_vec() })
/// });
/// assert_eq!(Request::get("https://api.example.com/rates").send()?.body, b"1.07");
/// # Ok::<(), hookway_plugin::http::Error>(())
/// ```
pub fn answer(answer: impl Fn(&Request) -> Result<Answer, Error> + 'static) {
    crate::native::http::answer(Box::new(answer));
}

/// The lines that were logged in this thread since it began, or since this was asked before.
///
/// ```
/// use hookway_plugin::{log, testing};
///
/// log::warn!("{} items", 3);
/// assert_eq!(testing::logged(), [(log::Level::Warn, "3 items".to_owned())]);
/// assert!(testing::logged().is_empty());
/// ```
#[must_use]
pub fn logged() -> Vec<(Level, String)> {
    crate::native::log::take()
}

/// The body that a transform would have sent, as JSON; `None` if it sends nothing else than what was there, or no JSON.
///
/// ```
/// use hookway_plugin::{Outcome, json, testing};
///
/// assert_eq!(testing::body(&Outcome::body(r#"{"a": 1}"#)), Some(json!({"a": 1})));
/// assert_eq!(testing::body(&Outcome::Unchanged), None);
/// ```
#[must_use]
pub fn body(outcome: &Outcome) -> Option<Value> {
    match outcome {
        Outcome::Replace(request) => serde_json::from_slice(&request.body).ok(),
        Outcome::Unchanged | Outcome::Drop(_) => None,
    }
}
