//! Which deliveries of the log.

use clap::Args;

use crate::client::api::Route;

/// The filters of `GET /v1/deliveries` and its stream; all of them have to hold.
#[derive(Debug, Args)]
pub struct Filter {
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// To this endpoint.
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// In this state: pending, retrying, delivered, failed, held, filtered, cancelled.
    #[arg(long)]
    status: Option<String>,
    /// Of events of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Of this event.
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// Of events accepted at this time or later: `2024-03-15T14:30:00Z`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Of events accepted before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Filter {
    /// The route with these filters.
    pub(super) fn apply(self, route: Route) -> Route {
        route
            .with("tenant", self.tenant)
            .with("endpoint", self.endpoint)
            .with("status", self.status)
            .with("topic", self.topic)
            .with("event_id", self.event_id)
            .with("since", self.since)
            .with("until", self.until)
    }
}
