//! A filter whose `init` refuses every config that has `"refuse"`, quoting its value, which may be hostile text.

use hookway_plugin::{Endpoint, Error, Event, Filter, Verdict};

#[derive(serde::Deserialize)]
struct Config {
    refuse: Option<String>,
}

struct RefuseConfig;

impl Filter for RefuseConfig {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        match config.refuse {
            Some(text) => Err(format!("`refuse` is {text}: remove it")),
            None => Ok(Self),
        }
    }

    fn filter(&self, _event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        Ok(Verdict::Deliver)
    }
}

hookway_plugin::export!(filter: RefuseConfig);
