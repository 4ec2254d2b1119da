//! A language for topics in which a pattern accepts every topic that begins with it.

use hookway_plugin::TopicMatcher;

/// The patterns of one endpoint.
#[derive(Debug)]
pub struct Beginnings(Vec<String>);

impl TopicMatcher for Beginnings {
    /// Once for the patterns of an endpoint: compile and parse here.
    fn compile(patterns: &[String]) -> Result<Self, String> {
        match patterns.iter().position(String::is_empty) {
            Some(index) => Err(format!(
                "pattern {} is empty: write how topics begin, such as `orders/`",
                index + 1
            )),
            None => Ok(Self(patterns.to_vec())),
        }
    }

    /// The same answer for the same topic, always: the gateway keeps it.
    fn matches(&self, topic: &str) -> bool {
        self.0.iter().any(|beginning| topic.starts_with(beginning))
    }
}

hookway_plugin::export!(matcher: Beginnings);

#[cfg(test)]
mod tests {
    use super::*;
    use hookway_plugin::testing;

    #[test]
    fn a_topic_is_accepted_by_how_it_begins() {
        let matcher = testing::matcher::<Beginnings>(&["orders/", "stock/updated"]).unwrap();
        assert!(matcher.matches("orders/created") && matcher.matches("stock/updated"));
        assert!(!matcher.matches("returns/created") && !matcher.matches("orders"));
    }

    #[test]
    fn an_empty_pattern_is_refused_with_its_number() {
        let refused = testing::matcher::<Beginnings>(&["orders/", ""]).unwrap_err();
        assert!(refused.starts_with("pattern 2 is empty"), "{refused}");
    }
}
