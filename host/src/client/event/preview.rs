//! `hookway event preview`: what an event would lead to at each endpoint, for people to read before it is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::client::delivery::{PluginRun, plugin_run, state_tone};
use crate::client::error::Error;
use crate::client::input::{FieldArgs, read_text};
use crate::client::line::{Line, Tone, lines};
use crate::client::output::not_understood;
use crate::client::pretty::pretty;
use crate::client::session::{MAX_LIMIT, Session};

/// Which event, before whom.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// A file with the event as it would be posted; `-` reads standard input.
    #[arg(required_unless_present = "id")]
    file: Option<PathBuf>,
    /// One that was posted, instead of a file.
    #[arg(long, value_name = "EVENT_ID", conflicts_with = "file")]
    id: Option<String>,
    /// Whose it is [default: what the file says, the tenant of the key, or `default`].
    #[arg(long)]
    tenant: Option<String>,
    /// At this endpoint only.
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
}

/// The answer.
#[derive(Deserialize)]
struct Page {
    event_id: String,
    topic: String,
    tenant: String,
    of_this_moment: Vec<String>,
    data: Vec<Preview>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Preview {
    endpoint_id: String,
    url: String,
    status: String,
    reason: Option<String>,
    plugins: Vec<PluginRun>,
    request: Option<Request>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    body_encoding: String,
}

pub(super) fn run(args: PreviewArgs, session: &mut Session) -> Result<(), Error> {
    let PreviewArgs { file, id, tenant, endpoint } = args;
    let mut fields = FieldArgs::default();
    if let Some(file) = file {
        fields.put_all(&read_text(&file)?)?;
    }
    let named = [("event_id", id), ("tenant", tenant), ("endpoint", endpoint)];
    let body = fields.object(&named.map(|(name, text)| (name, text.map(Value::from))))?;
    let mut cursor = None::<String>;
    loop {
        let route =
            session.api.at(&["preview"]).with("limit", Some(MAX_LIMIT)).with("cursor", cursor.as_ref());
        let json = session.api.post(&route, Some(body.clone()))?;
        let page: Page = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
        if session.out.json {
            session.out.json(&json)?;
        } else {
            session.out.lines(shown(&page, cursor.is_none()))?;
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

fn shown(page: &Page, is_first: bool) -> Vec<Line> {
    let mut all = Vec::new();
    if is_first {
        let Page { event_id, topic, tenant, .. } = page;
        all.push(Line::new(Tone::Strong, topic.clone()).and(Tone::Plain, format!("  {event_id}")));
        let moment = page.of_this_moment.join(", ");
        all.push(Line::new(Tone::Faint, format!("tenant {tenant}; of this moment only: {moment}")));
        if page.data.is_empty() {
            all.push("The tenant has no endpoint like that.".into());
        }
    }
    all.extend(page.data.iter().flat_map(endpoint));
    all
}

fn endpoint(preview: &Preview) -> Vec<Line> {
    let Preview { endpoint_id, url, status, reason, plugins, request } = preview;
    let words = match status.as_str() {
        "pending" => "would be sent",
        "not_matched" => "not meant for it",
        other => other,
    };
    let head = Line::new(Tone::Strong, url.clone()).and(Tone::Plain, format!("  {endpoint_id}  "));
    let mut all = vec![Line::default(), head.and(state_tone(status), words)];
    all.extend(reason.iter().map(|reason| Line::from(reason.clone()).indented()));
    all.extend(plugins.iter().map(|run| plugin_run(run).indented()));
    all.extend(request.iter().flat_map(one_request).map(Line::indented));
    all
}

fn one_request(request: &Request) -> Vec<Line> {
    let mut all = vec![Line::from(format!("{} {}", request.method, request.url))];
    all.extend(
        request.headers.iter().map(|(name, value)| Line::new(Tone::Faint, format!("{name}: {value}"))),
    );
    let is_text = request.body_encoding == "text";
    all.push(Line::default());
    all.extend(lines(Tone::Plain, &if is_text { pretty(&request.body) } else { request.body.clone() }));
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_endpoint_says_what_it_would_get_or_why_it_would_not() {
        let page = json!({
            "event_id": "e1", "topic": "orders/created", "tenant": "acme", "timestamp": "T", "stored": false,
            "of_this_moment": ["webhook-signature", "timestamp"], "next_cursor": null, "data": [
                {"endpoint_id": "ep_1", "url": "https://a", "matches": true, "status": "pending", "reason": null,
                 "filter": null,
                 "plugins": [{"plugin": "jq", "version": "ab", "outcome": "replaced", "duration_us": 7}],
                 "request": {"method": "POST", "url": "https://a", "headers": {"host": "a"}, "body": "{\"n\":1}",
                             "body_encoding": "text"}},
                {"endpoint_id": "ep_2", "url": "https://b", "matches": false, "status": "not_matched",
                 "reason": "none of its topics covers `orders/created`: a/*", "filter": null, "plugins": [], "request": null},
            ],
        });
        let page: Page = serde_json::from_value(page).unwrap();
        let text: String = shown(&page, true).iter().map(|line| line.render(false) + "\n").collect();
        assert!(text.contains("of this moment only: webhook-signature, timestamp\n"), "{text}");
        assert!(
            text.contains("https://a  ep_1  would be sent\n  jq ab replaced in 7 us\n  POST https://a\n"),
            "{text}"
        );
        assert!(text.contains("  host: a\n  \n  {\n    \"n\": 1\n  }\n"), "{text}");
        assert!(text.contains("https://b  ep_2  not meant for it\n  none of its topics"), "{text}");
    }
}
