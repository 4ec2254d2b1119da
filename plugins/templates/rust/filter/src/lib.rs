//! Drops events whose total is below a minimum.

use hookway_plugin::{Endpoint, Error, Event, Filter, Verdict};
use serde::Deserialize;

/// The `config` of the binding: `{"minimum": 100}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    minimum: f64,
}

/// The filter.
#[derive(Debug)]
pub struct Minimum(f64);

impl Filter for Minimum {
    type Config = Config;

    /// Once per instance: compile and parse here.
    fn new(config: Config) -> Result<Self, String> {
        if config.minimum < 0.0 {
            return Err("`minimum` must not be negative".into());
        }
        Ok(Self(config.minimum))
    }

    fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
        // Looked up in the gateway: nothing is parsed here.
        let total = event.get("/total").and_then(|value| value.as_f64());
        Ok(match total {
            Some(total) if total >= self.0 => Verdict::Deliver,
            _ => Verdict::drop(format!("the total is below {}", self.0)),
        })
    }
}

hookway_plugin::export!(filter: Minimum);

#[cfg(test)]
mod tests {
    use super::*;
    use hookway_plugin::{json, testing};

    #[test]
    fn small_orders_are_dropped() {
        let plugin = testing::filter::<Minimum>(json!({"minimum": 100})).unwrap();
        let verdict = |data| plugin.filter(&Event::test("orders/created", data), &Endpoint::test());
        assert_eq!(verdict(json!({"total": 100})), Ok(Verdict::Deliver));
        let dropped = Ok(Verdict::drop("the total is below 100"));
        assert_eq!(verdict(json!({"total": 99.5})), dropped);
        assert_eq!(verdict(json!({"total": "150"})), dropped);
    }

    #[test]
    fn a_bad_config_is_refused_with_its_field() {
        for (config, expected) in [
            (
                json!({"minimum": "many"}),
                "`minimum` must be a number, not the text \"many\"",
            ),
            (json!({"minimum": -1}), "`minimum` must not be negative"),
            (json!({}), "`minimum` is missing"),
        ] {
            assert_eq!(testing::filter::<Minimum>(config).unwrap_err(), expected);
        }
    }
}
