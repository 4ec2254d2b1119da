//! A transform that sets the header of the config, `{"name": "host", "value": "evil.example"}`, and may remove one:
//! `{"remove": "webhook-id"}`. The value may hold line breaks.

use hookway_plugin::{Endpoint, Error, Event, Outcome, Request, Transform};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ForbiddenHeader {
    #[serde(default = "host")]
    name: String,
    #[serde(default)]
    value: String,
    remove: Option<String>,
}

impl Transform for ForbiddenHeader {
    type Config = Self;

    fn new(config: Self) -> Result<Self, String> {
        Ok(config)
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        Ok(Outcome::Replace(Request {
            body: event.body(),
            set_headers: vec![(self.name.clone(), self.value.clone().into_bytes())],
            remove_headers: self.remove.clone().into_iter().collect(),
            ..Request::default()
        }))
    }
}

fn host() -> String {
    "host".into()
}

hookway_plugin::export!(transform: ForbiddenHeader);
