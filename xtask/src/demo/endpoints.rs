//! The three endpoints of the demo.

use anyhow::Result;
use hookway_tests::client::Client;
use serde_json::{Value, json};

use super::receiver::Inbox;
use crate::tools::step;

/// The plugin that is replaced while events flow: it puts its version into the body.
pub(super) const TAGGER: &str = "tagger";
/// The path of the endpoint that wants everything as it is.
pub(super) const EVERYTHING: &str = "/everything";
/// The path of the endpoint whose events are transformed.
pub(super) const SUMMARIES: &str = "/summaries";
/// The path of the endpoint whose events are filtered.
const PUBLIC_ONLY: &str = "/public-only";

/// What the filter asks for: two fields of the recorded events.
const EXPRESSION: &str = r#"data.repository.private == false && data.sender.type == "User""#;
/// What the transform makes of an event: the few fields that a chat message needs.
const PROGRAM: &str = "{event, id: .event_id, action: .data.action, repository: .data.repository.full_name, \
                       order: .data.order_id} | with_entries(select(.value != null))";

/// An endpoint of the demo.
#[derive(Debug)]
pub(super) struct Shown {
    /// Its path at the receiver, which is also its name in the table.
    pub(super) path: &'static str,
    /// Its id.
    pub(super) id: String,
}

/// Creates the three and tells the receiver their secrets.
pub(super) async fn create(client: &Client, inbox: &mut Inbox) -> Result<Vec<Shown>> {
    step("creating three endpoints: all topics; a CEL filter; a jq transform with MQTT patterns");
    let mut created = Vec::new();
    for (path, wants) in wanted() {
        let mut endpoint = wants;
        endpoint["url"] = inbox.url(path).into();
        println!("    {endpoint}");
        let endpoint = client.create_endpoint(&endpoint).await?;
        inbox.trust(path, &endpoint.secret)?;
        created.push(Shown { path, id: endpoint.id });
    }
    Ok(created)
}

fn wanted() -> [(&'static str, Value); 3] {
    [
        (EVERYTHING, json!({ "topics": ["**"] })),
        (
            PUBLIC_ONLY,
            json!({
                "topics": ["**"],
                "plugins": [{ "plugin": "cel-filter", "config": { "expr": EXPRESSION } }],
            }),
        ),
        (
            SUMMARIES,
            json!({
                "matcher": "mqtt-topics",
                "topics": ["orders/#", "issues/+", "pull_request/+", "release/#"],
                "plugins": [
                    { "plugin": "jq-transform", "config": { "program": PROGRAM } },
                    { "plugin": TAGGER },
                ],
            }),
        ),
    ]
}
