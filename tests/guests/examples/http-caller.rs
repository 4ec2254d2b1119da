//! A transform that makes the requests that `data` names, one after the other, and answers with what came of each:
//! `{"urls": [...], "headers": {...}, "method": ..., "body_bytes": ..., "spin": true}` becomes `{"answers": [...]}`. With `spin` it
//! runs on for ever after its last request.

use hookway_plugin::http::{Answer, Request};
use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Transform, Value, json};

struct HttpCaller;

impl Transform for HttpCaller {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let text = |pointer: &str| event.get(pointer).and_then(|value| value.as_str().map(str::to_owned));
        let method = text("/method").unwrap_or_else(|| "GET".to_owned());
        let bytes = event.get("/body_bytes").and_then(|value| value.as_f64()).unwrap_or(0.0);
        let mut answers = Vec::new();
        for n in 0.. {
            let Some(url) = text(&format!("/urls/{n}")) else { break };
            let mut request = Request::new(&method, url).body("x".repeat(bytes as usize));
            if let (Some(name), Some(value)) = (text("/header/name"), text("/header/value")) {
                request = request.header(name, value);
            }
            answers.push(match request.send() {
                Ok(Answer { status, headers, body }) => {
                    let headers: Vec<_> = headers.into_iter().map(|(name, _)| name).collect();
                    json!({ "status": status, "headers": headers, "bytes": body.len(), "body": start(&body) })
                }
                Err(error) => json!({ "error": error.to_string() }),
            });
        }
        while event.get("/spin") == Some(Value::Bool(true)) {}
        Ok(Outcome::body(json!({ "answers": answers }).to_string()))
    }
}

fn start(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(1_000)]).into_owned()
}

hookway_plugin::export!(transform: HttpCaller);
