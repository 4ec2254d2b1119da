//! Topics and the patterns that subscribe to them.
//!
//! A topic is a path of segments joined by `/` or `.`: `orders/created`. In a pattern, a segment may be `*` (exactly
//! one segment) or `**` (any number, none included). A separator matches only itself, so `orders.*` does not
//! accept `orders/created`; what `**` swallows may be joined by either. Nothing stands before the first segment of a
//! topic, so `**/updated` accepts `updated`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::text::{checked_text, is_word};

/// Long enough for any sensible name, short enough for a log line and an index key.
const MAX_LEN: usize = 256;
/// Bounds the work of matching; real topics have two to five segments.
const MAX_SEGMENTS: usize = 32;
/// The first segment of the topics of the gateway itself.
const RESERVED: &str = "hookway";

checked_text!(
    /// What happened: 1 to 256 characters, at most 32 segments of `A-Z a-z 0-9 _ -`.
    Topic,
    TopicError,
    check,
    MAX_LEN,
    "^[A-Za-z0-9_-]+([/.][A-Za-z0-9_-]+){0,31}$",
    "orders/created"
);

/// Why a text is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// Nothing, or more than 256 characters.
    #[error("a topic has 1 to {MAX_LEN} characters, for example `orders/created`")]
    Length,
    /// Too many segments.
    #[error("a topic has at most {MAX_SEGMENTS} segments")]
    Segments,
    /// A segment is empty or has a character that is not allowed.
    #[error(
        "a topic is made of segments of A-Z, a-z, 0-9, `_` and `-`, joined by `/` or `.`, for example `orders/created`"
    )]
    Segment,
}

/// A subscription to topics: an exact topic, or one with `*` and `**` as segments.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern {
    text: Arc<str>,
    tokens: Vec<Token>,
}

/// Why a text is not a topic pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// `*` stands beside other characters, as in `order*`.
    #[error("`*` and `**` stand for whole segments, as in `orders/*` or `**/updated`")]
    Wildcard,
    /// Not even a topic.
    #[error(transparent)]
    Topic(#[from] TopicError),
}

/// One segment of a pattern and the separator before it (`None` for the first).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    /// `/` or `.`; `None` for the first segment.
    pub separator: Option<char>,
    /// What the segment accepts.
    pub accepts: Accepts,
}

/// What one segment of a pattern accepts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Accepts {
    /// This text.
    Exactly(Box<str>),
    /// Any one segment: `*`.
    One,
    /// Any number of segments: `**`.
    Any,
}

impl Topic {
    /// The segments in order, each with the separator before it (`None` for the first).
    pub fn segments(&self) -> impl Iterator<Item = (Option<char>, &str)> {
        split(&self.0)
    }

    /// Whether it is one of the gateway's own, which speak about the gateway: `hookway.endpoint.failed`.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.segments().next().is_some_and(|(_, first)| first == RESERVED)
    }
}

impl TopicPattern {
    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The segments in order, for building an index.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether the pattern accepts the topic. Takes time proportional to segments times tokens, whatever the pattern.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        let mut progress = Progress { at: self.skip_wildcards(1), inside: 0 };
        let mut first = true;
        for (separator, segment) in topic.segments() {
            progress = self.step(&progress, |expected| first || expected == separator, segment);
            first = false;
        }
        progress.at & (1 << self.tokens.len()) != 0
    }

    fn step(&self, before: &Progress, fits: impl Fn(Option<char>) -> bool, segment: &str) -> Progress {
        let mut after = Progress { at: 0, inside: before.inside };
        for (n, token) in self.tokens.iter().enumerate().filter(|(n, _)| before.at & (1 << n) != 0) {
            match &token.accepts {
                Accepts::Exactly(text) if fits(token.separator) && **text == *segment => after.at |= 2 << n,
                Accepts::One if fits(token.separator) => after.at |= 2 << n,
                Accepts::Any if fits(token.separator) => after.inside |= 1 << n,
                Accepts::Exactly(_) | Accepts::One | Accepts::Any => {}
            }
        }
        after.at = self.skip_wildcards(after.at | after.inside << 1);
        after
    }

    /// Adds the positions that are reached without a segment: those after a `**`, which may take none.
    fn skip_wildcards(&self, mut at: u64) -> u64 {
        for (n, token) in self.tokens.iter().enumerate() {
            if token.accepts == Accepts::Any && at & (1 << n) != 0 {
                at |= 2 << n;
            }
        }
        at
    }
}

/// How far the segments seen so far may have come in a pattern, a bit per token: at most [`MAX_SEGMENTS`] and the end.
struct Progress {
    /// Tokens that may take the next segment.
    at: u64,
    /// `**` tokens that took a segment and may take more, joined by any separator.
    inside: u64,
}

impl FromStr for TopicPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() || text.len() > MAX_LEN {
            return Err(TopicError::Length.into());
        }
        let tokens = split(text)
            .map(|(separator, segment)| token(separator, segment))
            .collect::<Result<Vec<_>, _>>()?;
        if tokens.len() > MAX_SEGMENTS {
            return Err(TopicError::Segments.into());
        }
        Ok(Self { text: Arc::from(text), tokens })
    }
}

fn check(text: &str) -> Result<(), TopicError> {
    if text.is_empty() || text.len() > MAX_LEN {
        return Err(TopicError::Length);
    }
    if !split(text).all(|(_, segment)| is_segment(segment)) {
        return Err(TopicError::Segment);
    }
    if split(text).count() > MAX_SEGMENTS { Err(TopicError::Segments) } else { Ok(()) }
}

fn token(separator: Option<char>, segment: &str) -> Result<Token, PatternError> {
    let accepts = match segment {
        "*" => Accepts::One,
        "**" => Accepts::Any,
        _ if is_segment(segment) => Accepts::Exactly(segment.into()),
        _ if segment.contains('*') => return Err(PatternError::Wildcard),
        _ => return Err(TopicError::Segment.into()),
    };
    Ok(Token { separator, accepts })
}

fn is_segment(text: &str) -> bool {
    is_word(text, MAX_LEN)
}

/// Splits at `/` and `.`, keeping with each segment the separator before it.
fn split(text: &str) -> impl Iterator<Item = (Option<char>, &str)> {
    let mut separator = None;
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let before = separator;
        match text.find(['/', '.']) {
            Some(at) => {
                separator = text[at..].chars().next();
                rest = Some(&text[at + 1..]);
                Some((before, &text[..at]))
            }
            None => {
                rest = None;
                Some((before, text))
            }
        }
    })
}

impl TryFrom<String> for TopicPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.text.as_ref().to_owned()
    }
}

impl JsonSchema for TopicPattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TopicPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": MAX_LEN,
            "pattern": r"^(\*{1,2}|[A-Za-z0-9_-]+)([/.](\*{1,2}|[A-Za-z0-9_-]+)){0,31}$",
            "examples": ["orders/*"],
        })
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rules read off the page, one segment after another, however long it takes.
    fn accepts(pattern: &[(Option<char>, &str)], topic: &[(Option<char>, &str)], is_first: bool) -> bool {
        let Some(((separator, token), rest)) = pattern.split_first() else { return topic.is_empty() };
        let fits = |topic: &[(Option<char>, &str)]| is_first || topic[0].0 == *separator;
        if *token != "**" {
            let is_it = |segment| *token == "*" || *token == segment;
            return !topic.is_empty()
                && fits(topic)
                && is_it(topic[0].1)
                && accepts(rest, &topic[1..], false);
        }
        // None, or one that the separator fits and any number more.
        let most = if topic.is_empty() || !fits(topic) { 0 } else { topic.len() };
        (0..=most).any(|taken| accepts(rest, &topic[taken..], is_first && taken == 0))
    }

    proptest! {
        #[test]
        fn patterns_mean_what_the_rules_say(
            pattern in "(a|b|\\*|\\*\\*)([/.](a|b|\\*|\\*\\*)){0,6}",
            topic in "(a|b)([/.](a|b)){0,6}",
        ) {
            let expected =
                accepts(&split(&pattern).collect::<Vec<_>>(), &split(&topic).collect::<Vec<_>>(), true);
            let pattern: TopicPattern = pattern.parse().unwrap();
            prop_assert_eq!(pattern.matches(&topic.parse().unwrap()), expected, "{} on {}", pattern, topic);
        }

        #[test]
        fn any_text_is_a_topic_or_a_pattern_or_refused(text in "[ab*/. ]{0,12}|.{0,12}") {
            if let Ok(pattern) = text.parse::<TopicPattern>() {
                prop_assert_eq!(pattern.to_string(), text.as_str());
            }
            if let Ok(topic) = text.parse::<Topic>() {
                let itself: TopicPattern = text.parse().unwrap();
                prop_assert!(itself.matches(&topic));
            }
        }
    }

    #[test]
    fn patterns_accept_what_they_say() {
        let cases = [
            ("orders/created", "orders/created", true),
            ("orders/created", "orders/updated", false),
            ("orders/*", "orders/created", true),
            ("orders/*", "orders", false),
            ("orders/*", "orders/lines/created", false),
            ("*/created", "orders/created", true),
            ("orders/**", "orders", true),
            ("orders/**", "orders/lines/created", true),
            ("orders/**", "returns/created", false),
            ("**/updated", "updated", true),
            ("**/updated", "product-stock/updated", true),
            ("**/updated", "a/b/c/updated", true),
            ("**/updated", "updated/a", false),
            ("**", "anything/at.all", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/b/c", false),
            ("**/*", "a", true),
            ("**/a/**", "x/a/y", true),
            ("orders.*", "orders/created", false),
            ("orders.*", "orders.created", true),
            ("orders/**", "orders.created", false),
        ];
        for (pattern, topic, expected) in cases {
            let (pattern, topic): (TopicPattern, Topic) = (pattern.parse().unwrap(), topic.parse().unwrap());
            assert_eq!(pattern.matches(&topic), expected, "{pattern} on {topic}");
        }
    }

    #[test]
    fn the_gateways_own_topics_are_known_by_their_whole_first_segment() {
        for (topic, reserved) in [
            ("hookway", true),
            ("hookway.endpoint.failed", true),
            ("hookway/a", true),
            ("hookways/a", false),
            ("Hookway.a", false),
            ("hookway-a/b", false),
            ("a/hookway", false),
        ] {
            assert_eq!(topic.parse::<Topic>().unwrap().is_reserved(), reserved, "{topic}");
        }
    }

    #[test]
    fn bad_topics_and_patterns_are_refused_with_the_reason() {
        for text in ["", "/", "a//b", "a/", ".a", "a b", "a/ü", "a\n", "*", "a/*"] {
            assert!(text.parse::<Topic>().is_err(), "{text:?}");
        }
        for text in ["", "a//b", "a/", "a b"] {
            assert!(text.parse::<TopicPattern>().is_err(), "{text:?}");
        }
        assert_eq!("order*/x".parse::<TopicPattern>(), Err(PatternError::Wildcard));
        assert_eq!("a/***".parse::<TopicPattern>(), Err(PatternError::Wildcard));
        assert_eq!("a/".repeat(200).parse::<Topic>(), Err(TopicError::Length));
        assert_eq!(vec!["a"; 33].join("/").parse::<Topic>(), Err(TopicError::Segments));
    }
}
