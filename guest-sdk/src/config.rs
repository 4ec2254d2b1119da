//! The binding's configuration: JSON text to the plugin's own type, with errors that a person can act on.
//!
//! `serde` says what it wanted in the words of Rust. Here it becomes a sentence that names the field as it is written in the
//! configuration: `` `rules[1].minimum` must be a number, not the text "many" ``.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The configuration of a plugin that has none: anything but `{}` is refused by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Parses the configuration. No text, and `null`, count as `{}`.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let text = if text.is_empty() || text == "null" { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| match located::<T>(text) {
        Some((path, error)) if error.is_data() => sentence(&path, &error.to_string()),
        _ => format!("the config is not JSON: {error}"),
    })
}

/// What is wrong, and where. Only asked for once something is: knowing the place costs time.
fn located<T: DeserializeOwned>(text: &str) -> Option<(String, serde_json::Error)> {
    let error =
        serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(text)).err()?;
    Some((error.path().to_string(), error.into_inner()))
}

/// What `serde` says of the value at a path, in the words of a configuration.
fn sentence(path: &str, error: &str) -> String {
    // There is one line, and the place is named.
    let error = error.rsplit_once(" at line ").map_or(error, |(message, _)| message);
    let whole = path == ".";
    let place = if whole { "the config".to_owned() } else { format!("`{path}`") };
    if let Some((got, wanted)) = wrong_type(error) {
        return format!("{place} must be {}, not {}", wanted_in_words(wanted), got_in_words(got));
    }
    // A list is taken for a struct if it has as many elements as the struct has fields.
    if whole && error.starts_with("invalid length ") && error.contains("expected struct ") {
        return format!("{place} must be an object, not a list");
    }
    let missing = error.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    if let Some(field) = missing {
        return if whole { format!("`{field}` is missing") } else { format!("`{path}.{field}` is missing") };
    }
    if let Some((variant, wanted)) = unknown_variant(error) {
        return format!("{place} must be {wanted}, not `{variant}`");
    }
    // The path of an unknown field ends with the field, which the message names too.
    if error.starts_with("unknown field `") {
        return match path.rsplit_once('.') {
            Some((outer, _)) if !whole => format!("`{outer}`: {error}"),
            _ => error.to_owned(),
        };
    }
    if whole { error.to_owned() } else { format!("{place}: {error}") }
}

/// `invalid type: GOT, expected WANTED`, or the same of a value.
fn wrong_type(error: &str) -> Option<(&str, &str)> {
    let rest = error.strip_prefix("invalid type: ").or_else(|| error.strip_prefix("invalid value: "))?;
    rest.rsplit_once(", expected ")
}

/// `` unknown variant `GOT`, expected `A` or `B` ``, or `` one of `A`, `B`, `C` ``.
fn unknown_variant(error: &str) -> Option<(&str, &str)> {
    error.strip_prefix("unknown variant `")?.split_once("`, expected ")
}

fn wanted_in_words(wanted: &str) -> String {
    let unsigned = |max: u64| format!("a whole number from 0 to {max}");
    match wanted {
        "f32" | "f64" => "a number".to_owned(),
        "u8" => unsigned(u8::MAX.into()),
        "u16" => unsigned(u16::MAX.into()),
        "u32" => unsigned(u32::MAX.into()),
        "u64" | "usize" => "a whole number of at least 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "a borrowed string" | "string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}

fn got_in_words(got: &str) -> String {
    let number = got.strip_prefix("integer ").or_else(|| got.strip_prefix("floating point "));
    match got {
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        "null" => "`null`".to_owned(),
        _ if number.is_some() => format!("the number {}", number.unwrap_or_default()),
        _ => match got.strip_prefix("string ") {
            Some(text) => format!("the text {text}"),
            None => got.strip_prefix("boolean ").unwrap_or(got).to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        minimum: u32,
        #[serde(default)]
        rules: Vec<Rule>,
        mode: Option<Mode>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        at: String,
        factor: Option<f64>,
        strict: Option<bool>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Strict,
        Lenient,
    }

    #[test]
    fn no_config_is_an_empty_object() {
        for text in ["", "  ", "null", "{}"] {
            let empty = Config { minimum: 0, rules: Vec::new(), mode: None };
            assert_eq!(parse::<Config>(text), Ok(empty), "{text:?}");
            assert_eq!(parse::<NoConfig>(text), Ok(NoConfig {}), "{text:?}");
        }
    }

    #[test]
    fn a_bad_config_is_refused_with_the_field_and_what_was_expected() {
        for (config, expected) in [
            (
                r#"{"minimum": "many"}"#,
                r#"`minimum` must be a whole number from 0 to 4294967295, not the text "many""#,
            ),
            (
                r#"{"minimum": -1}"#,
                "`minimum` must be a whole number from 0 to 4294967295, not the number `-1`",
            ),
            (
                r#"{"minimum": 1.5}"#,
                "`minimum` must be a whole number from 0 to 4294967295, not the number `1.5`",
            ),
            (r#"{"rules": {}}"#, "`rules` must be a list, not an object"),
            (r#"{"rules": [{"at": "a"}, {}]}"#, "`rules[1].at` is missing"),
            (r#"{"rules": [{"at": null}]}"#, "`rules[0].at` must be a text, not `null`"),
            (r#"{"rules": [{"at": "a", "factor": []}]}"#, "`rules[0].factor` must be a number, not a list"),
            (
                r#"{"rules": [{"at": "a", "strict": 1}]}"#,
                "`rules[0].strict` must be `true` or `false`, not the number `1`",
            ),
            (
                r#"{"rules": [{"at": "a", "factr": 1}]}"#,
                "`rules[0]`: unknown field `factr`, expected one of `at`, `factor`, `strict`",
            ),
            (r#"{"mode": "strikt"}"#, "`mode` must be `strict` or `lenient`, not `strikt`"),
            (r#"{"minimun": 3}"#, "unknown field `minimun`, expected one of `minimum`, `rules`, `mode`"),
            ("[]", "the config must be an object, not a list"),
            ("7", "the config must be an object, not the number `7`"),
        ] {
            assert_eq!(parse::<Config>(config).unwrap_err(), expected, "{config}");
        }
        assert_eq!(parse::<NoConfig>(r#"{"a": 3}"#).unwrap_err(), "unknown field `a`, there are no fields");
        assert!(parse::<Config>("{").unwrap_err().starts_with("the config is not JSON: EOF"));
    }
}
