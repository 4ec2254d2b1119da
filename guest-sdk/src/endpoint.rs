//! The endpoint that an event may be delivered to.

use crate::source;

/// The endpoint that the event may be delivered to. It lives in the gateway, like [`Event`](crate::Event).
#[derive(Debug)]
pub struct Endpoint<'a>(pub(crate) source::Endpoint<'a>);

impl Endpoint<'_> {
    /// Its id: `ep_...`.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// The target URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// A value of the metadata that the endpoint's owner set.
    #[must_use]
    pub fn metadata(&self, name: &str) -> Option<String> {
        self.0.metadata(name)
    }
}
