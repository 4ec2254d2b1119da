//! What filters and plugins look at.

use std::sync::{Arc, OnceLock};

use super::Document;
use crate::model::Event;

/// An event on its way through filters and plugins, with its JSON as far as one of them looked. Clones share both, so
/// all endpoints of an event pay for one parse.
#[derive(Debug, Clone)]
pub struct Subject(Arc<Inner>);

/// Why an event is looked at of which nothing follows: what a plugin keeps because of it is forgotten after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// Somebody wants to know what would be sent. Plugins find what they kept.
    Preview,
    /// A plugin is tried before it goes live. It finds nothing, so that it answers the same each time.
    Sample,
}

#[derive(Debug)]
struct Inner {
    event: Arc<Event>,
    rehearsal: Option<Rehearsal>,
    json: OnceLock<Document>,
}

impl Subject {
    /// Nothing is parsed before somebody asks.
    #[must_use]
    pub fn new(event: Arc<Event>) -> Self {
        Self(Arc::new(Inner { event, rehearsal: None, json: OnceLock::new() }))
    }

    /// The same for an event of which nothing follows.
    #[must_use]
    pub fn rehearsed(event: Arc<Event>, rehearsal: Rehearsal) -> Self {
        Self(Arc::new(Inner { event, rehearsal: Some(rehearsal), json: OnceLock::new() }))
    }

    /// The same event, and nothing follows of it.
    #[must_use]
    pub fn rehearse(&self, rehearsal: Rehearsal) -> Self {
        Self::rehearsed(Arc::clone(&self.0.event), rehearsal)
    }

    /// Why nothing follows of the event; none if something may.
    #[must_use]
    pub fn rehearsal(&self) -> Option<Rehearsal> {
        self.0.rehearsal
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
