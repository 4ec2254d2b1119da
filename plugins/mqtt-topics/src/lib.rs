//! Topic patterns as MQTT 3.1.1 defines them (section 4.7): `+` is exactly one level, `#` is any number of levels, the
//! parent included, and stands last.
//!
//! Levels are joined by `/`. A `.` is an ordinary character: `orders.created` is one level. A pattern that can never
//! accept a topic of the gateway, such as one with an empty level, is refused.

use hookway_plugin::TopicMatcher;

/// The patterns of one endpoint.
#[derive(Debug)]
pub struct MqttTopics(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    levels: Vec<Level>,
    /// Ends with `#`.
    open: bool,
}

#[derive(Debug)]
enum Level {
    /// `+`
    Any,
    Exactly(String),
}

impl TopicMatcher for MqttTopics {
    fn compile(patterns: &[String]) -> Result<Self, String> {
        patterns.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>().map(Self)
    }

    fn matches(&self, topic: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(topic))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let (mut levels, mut open) = (Vec::new(), false);
        for (index, level) in text.split('/').enumerate() {
            let refuse = |why: &str| format!("level {} of the pattern `{text}`: {why}", index + 1);
            if open {
                return Err(format!("the pattern `{text}`: `#` may only be the last level"));
            }
            match level {
                "" => return Err(refuse("it is empty, and no topic has an empty level")),
                "+" => levels.push(Level::Any),
                "#" => open = true,
                _ if level.contains(['+', '#']) => {
                    return Err(refuse(
                        "`+` and `#` stand for whole levels, as in `orders/+` and `orders/#`",
                    ));
                }
                _ => match level.chars().find(|c| !is_topic_character(*c)) {
                    Some(c) => return Err(refuse(&format!("no topic has the character {c:?}"))),
                    None => levels.push(Level::Exactly(level.into())),
                },
            }
        }
        Ok(Self { levels, open })
    }

    fn matches(&self, topic: &str) -> bool {
        let mut topic = topic.split('/');
        let begins = self.levels.iter().all(|level| match (level, topic.next()) {
            (Level::Any, Some(_)) => true,
            (Level::Exactly(text), Some(segment)) => text == segment,
            (_, None) => false,
        });
        begins && (self.open || topic.next().is_none())
    }
}

fn is_topic_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

hookway_plugin::export!(matcher: MqttTopics);

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(patterns: &[&str]) -> Result<MqttTopics, String> {
        MqttTopics::compile(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_accept_what_mqtt_says() {
        let cases = [
            ("orders/created", "orders/created", true),
            ("orders/created", "orders/created/late", false),
            ("orders/created", "orders", false),
            ("orders/+", "orders/created", true),
            ("orders/+", "orders", false),
            ("orders/+", "orders/lines/created", false),
            ("+/created", "orders/created", true),
            ("+", "orders", true),
            ("+", "orders/created", false),
            ("orders/#", "orders", true),
            ("orders/#", "orders/created", true),
            ("orders/#", "orders/lines/created", true),
            ("orders/#", "ordersx", false),
            ("#", "anything/at/all", true),
            ("+/+/#", "a/b", true),
            ("+/+/#", "a", false),
            ("orders/+/#", "orders/1/paid", true),
            ("+", "orders.created", true),
            ("orders/#", "orders.created", false),
        ];
        for (pattern, topic, expected) in cases {
            assert_eq!(compile(&[pattern]).unwrap().matches(topic), expected, "{pattern} on {topic}");
        }
    }

    #[test]
    fn one_pattern_of_several_is_enough_and_none_accepts_nothing() {
        let matcher = compile(&["issues/+", "pull_request/#"]).unwrap();
        assert!(matcher.matches("issues/opened"));
        assert!(matcher.matches("pull_request"));
        assert!(!matcher.matches("push"));
        assert!(!compile(&[]).unwrap().matches("push"));
    }

    #[test]
    fn a_bad_pattern_is_refused_with_its_place() {
        let cases = [
            ("", "level 1"),
            ("/orders", "level 1"),
            ("orders//created", "level 2"),
            ("orders/", "level 2"),
            ("#/created", "`#` may only be the last level"),
            ("orders/#/#", "`#` may only be the last level"),
            ("orders/cre+", "level 2"),
            ("orders#", "level 1"),
            ("orders/bestellt ", "' '"),
            ("orders/**", "'*'"),
            ("a/\u{0}", "'\\0'"),
        ];
        for (pattern, place) in cases {
            let error = compile(&["fine/+", pattern]).unwrap_err();
            assert!(error.contains(place) && error.contains(pattern), "{pattern:?}: {error}");
        }
    }

    #[test]
    fn a_pattern_of_a_thousand_levels_is_matched_in_one_pass() {
        let matcher = compile(&[&format!("{}#", "+/".repeat(1000))]).unwrap();
        assert!(!matcher.matches(&"a/".repeat(900)));
        assert!(matcher.matches(&"a/".repeat(1001)));
    }
}
