//! A filter whose `init` never comes back when the config says `{"spin": true}`.

use hookway_plugin::{Endpoint, Error, Event, Filter, Verdict};

#[derive(serde::Deserialize)]
struct Config {
    #[serde(default)]
    spin: bool,
}

struct SpinInInit;

impl Filter for SpinInInit {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        while std::hint::black_box(config.spin) {
            std::hint::spin_loop();
        }
        Ok(Self)
    }

    fn filter(&self, _event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        Ok(Verdict::Deliver)
    }
}

hookway_plugin::export!(filter: SpinInInit);
