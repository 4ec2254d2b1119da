//! A transform whose body is what it sees of its environment: `{"env": {NAME: VALUE, ...}, "arguments": [...]}`. It says the
//! names in its log as well.

use std::collections::BTreeMap;

use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Transform, json, log};

struct EnvReader;

impl Transform for EnvReader {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    #[expect(clippy::disallowed_methods, reason = "the environment of the guest is what this guest is about")]
    fn transform(&self, _event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let env: BTreeMap<_, _> = std::env::vars().collect();
        let arguments: Vec<_> = std::env::args().collect();
        log::info!("variables: {:?}", env.keys().collect::<Vec<_>>());
        Ok(Outcome::body(json!({ "env": env, "arguments": arguments }).to_string()))
    }
}

hookway_plugin::export!(transform: EnvReader);
