//! Components that misbehave on purpose, one per example, for the tests of the gateway.
//!
//! Most do so only when `data` has `"poison": true`, so a test can prove that the next event is served again.

use hookway_plugin::{Event, Value};

/// Whether this event asks the guest to misbehave.
#[must_use]
pub fn is_poison(event: &Event) -> bool {
    event.get("/poison") == Some(Value::Bool(true))
}

/// The body of `event` with `"v": version` in front of the members of its object; any other body becomes
/// `{"v": version}`.
#[must_use]
pub fn tagged(event: &Event, version: u32) -> Vec<u8> {
    let body = event.body();
    match body.strip_prefix(b"{") {
        Some(b"}") | None => format!(r#"{{"v":{version}}}"#).into_bytes(),
        Some(members) => [format!(r#"{{"v":{version},"#).as_bytes(), members].concat(),
    }
}

/// A transform that tags the body with a version.
#[macro_export]
macro_rules! tag_body {
    ($version:literal) => {
        struct Switchable;

        impl hookway_plugin::Transform for Switchable {
            type Config = hookway_plugin::NoConfig;

            fn new(_config: Self::Config) -> Result<Self, String> {
                Ok(Self)
            }

            fn transform(
                &self,
                event: &hookway_plugin::Event,
                _to: &hookway_plugin::Endpoint,
            ) -> Result<hookway_plugin::Outcome, hookway_plugin::Error> {
                Ok(hookway_plugin::Outcome::body($crate::tagged(event, $version)))
            }
        }

        hookway_plugin::export!(transform: Switchable);
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookway_plugin::json;

    #[test]
    fn a_version_is_tagged_in_front_of_the_members() {
        let event = Event::test("a", json!(null));
        assert!(tagged(&event, 1).starts_with(br#"{"v":1,"event":"a""#));
        assert_eq!(tagged(&event.with_body("{}"), 2), br#"{"v":2}"#);
    }
}
