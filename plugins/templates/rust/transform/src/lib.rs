//! Sends the bare data of an event, with its topic in a header.

use hookway_plugin::{Endpoint, Error, Event, Outcome, Request, Transform, log};
use serde::Deserialize;

/// The `config` of the binding: `{"header": "x-topic"}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    header: String,
}

/// The transform.
#[derive(Debug)]
pub struct BareData {
    header: String,
}

impl Transform for BareData {
    type Config = Config;

    /// Once per instance: compile and parse here.
    fn new(config: Config) -> Result<Self, String> {
        if config.header.is_empty() {
            return Err("`header` must name a header, such as `x-topic`".into());
        }
        Ok(Self {
            header: config.header,
        })
    }

    /// `event.body()` is what the transforms before this one made; `event.data()` is what the producer sent.
    fn transform(&self, event: &Event, to: &Endpoint) -> Result<Outcome, Error> {
        log::debug!("{} goes to {}", event.id(), to.id());
        Ok(Outcome::Replace(Request {
            body: event.data(),
            set_headers: vec![(self.header.clone(), event.topic().into_bytes())],
            ..Request::default()
        }))
    }
}

hookway_plugin::export!(transform: BareData);

#[cfg(test)]
mod tests {
    use super::*;
    use hookway_plugin::{json, testing};

    #[test]
    fn the_bare_data_is_sent_with_the_topic_in_a_header() {
        let plugin = testing::transform::<BareData>(json!({"header": "x-topic"})).unwrap();
        let event = Event::test("orders/created", json!({"total": 5}));
        let outcome = plugin.transform(&event, &Endpoint::test()).unwrap();
        assert_eq!(testing::body(&outcome), Some(json!({"total": 5})));
        let Outcome::Replace(request) = outcome else {
            panic!("not replaced")
        };
        assert_eq!(
            request.set_headers,
            [("x-topic".to_owned(), b"orders/created".to_vec())]
        );
    }

    #[test]
    fn a_bad_config_is_refused_with_its_field() {
        for (config, expected) in [
            (
                json!({"header": 7}),
                "`header` must be a text, not the number `7`",
            ),
            (
                json!({"header": ""}),
                "`header` must name a header, such as `x-topic`",
            ),
            (json!({}), "`header` is missing"),
        ] {
            assert_eq!(
                testing::transform::<BareData>(config).unwrap_err(),
                expected
            );
        }
    }
}
