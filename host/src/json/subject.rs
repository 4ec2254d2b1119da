//! What filters and plugins look at.

use std::sync::{Arc, OnceLock};

use super::Document;
use crate::model::Event;

/// An event on its way through filters and plugins, with its JSON as far as one of them looked. Clones share both, so
/// all endpoints of an event pay for one parse.
#[derive(Debug, Clone)]
pub struct Subject(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    event: Arc<Event>,
    json: OnceLock<Document>,
}

impl Subject {
    /// Nothing is parsed before somebody asks.
    #[must_use]
    pub fn new(event: Arc<Event>) -> Self {
        Self(Arc::new(Inner { event, json: OnceLock::new() }))
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.0.event
    }

    /// Its `data`.
    #[must_use]
    pub fn data(&self) -> &Document {
        self.0.json.get_or_init(|| Document::new(self.0.event.data.clone()))
    }
}
