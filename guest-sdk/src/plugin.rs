//! What a plugin implements. One type may implement [`Filter`] and [`Transform`].

use serde::de::DeserializeOwned;

use crate::{Endpoint, Error, Event, Outcome, Verdict};

/// Decides whether an event goes to an endpoint.
pub trait Filter: Sized + 'static {
    /// The binding's configuration; [`NoConfig`](crate::NoConfig) where there is none. A missing configuration counts
    /// as `{}`. Use `#[serde(deny_unknown_fields)]`: a misspelt field is then refused with its name.
    type Config: DeserializeOwned;

    /// Called once for each new instance, before anything else.
    ///
    /// # Errors
    /// A sentence that names the field and says what to do; it is shown to the person who set the configuration.
    fn new(config: Self::Config) -> Result<Self, String>;

    /// Called for every event and endpoint that the binding covers.
    ///
    /// # Errors
    /// [`Error::Invalid`] when this event can never be handled, [`Error::Retry`] when it may be later.
    fn filter(&self, event: &Event, to: &Endpoint) -> Result<Verdict, Error>;
}

/// Changes what is sent.
pub trait Transform: Sized + 'static {
    /// The binding's configuration, as in [`Filter::Config`].
    type Config: DeserializeOwned;

    /// Called once for each new instance, before anything else.
    ///
    /// # Errors
    /// A sentence that names the field and says what to do; it is shown to the person who set the configuration.
    fn new(config: Self::Config) -> Result<Self, String>;

    /// Called for every event and endpoint that the binding covers, after all filters. Start from
    /// [`Event::body`]: it is what the transform before this one made, so transforms compose.
    ///
    /// # Errors
    /// [`Error::Invalid`] when this event can never be handled, [`Error::Retry`] when it may be later.
    fn transform(&self, event: &Event, to: &Endpoint) -> Result<Outcome, Error>;
}

/// A topic pattern language. Must be pure: the gateway caches answers by plugin version, patterns and topic.
pub trait TopicMatcher: Sized + 'static {
    /// Compiles the patterns of one endpoint.
    ///
    /// # Errors
    /// A sentence that says which pattern is wrong and where; it is shown to the person who set it.
    fn compile(patterns: &[String]) -> Result<Self, String>;

    /// Whether one of the patterns accepts the topic.
    fn matches(&self, topic: &str) -> bool;
}
