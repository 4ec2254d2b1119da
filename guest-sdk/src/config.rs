//! The binding's configuration: JSON text to the plugin's own type, with errors that a person can act on.

use serde::Deserialize;
#[cfg(any(test, target_arch = "wasm32"))]
use serde::de::DeserializeOwned;

/// The configuration of a plugin that has none: anything but `{}` is refused by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Parses the configuration. No text, and `null`, count as `{}`.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let text = if text.is_empty() || text == "null" { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| format!("the config does not fit: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        minimum: u32,
    }

    #[test]
    fn no_config_is_an_empty_object() {
        for text in ["", "  ", "null", "{}"] {
            assert_eq!(parse::<Config>(text), Ok(Config { minimum: 0 }), "{text:?}");
            assert_eq!(parse::<NoConfig>(text), Ok(NoConfig {}), "{text:?}");
        }
    }

    #[test]
    fn a_bad_config_is_refused_with_the_field() {
        let error = parse::<Config>(r#"{"minimun": 3}"#).unwrap_err();
        assert!(error.contains("unknown field `minimun`, expected `minimum`"), "{error}");
        let error = parse::<NoConfig>(r#"{"a": 3}"#).unwrap_err();
        assert!(error.contains("unknown field `a`"), "{error}");
        assert!(parse::<Config>("{").is_err());
    }
}
