//! Plugins do not know who sends; this is where their requests meet the guard of deliveries.

use std::sync::Arc;

use crate::deliver::{Client, ClientError, ClientRequest};
use crate::plugins::{Outbound, OutboundError, OutboundFuture, OutboundRequest};

/// Sends what plugins ask for.
pub(super) struct PluginRequests(pub(super) Arc<Client>);

impl Outbound for PluginRequests {
    fn send(&self, request: OutboundRequest) -> OutboundFuture<'_> {
        let OutboundRequest { method, url, headers, body, deadline, max_response_bytes } = request;
        let request = ClientRequest { method, url, headers, body, deadline, max_response_bytes };
        Box::pin(async move {
            self.0.send(request).await.map_err(|error| match error {
                ClientError::Failed(error) => OutboundError::Failed(error),
                ClientError::TooLarge => OutboundError::TooLarge,
            })
        })
    }
}
