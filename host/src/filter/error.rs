//! Why a text is not a filter, and where.

use super::parse::{MAX_BYTES, MAX_CONDITIONS, MAX_DEPTH, MAX_PATTERN_BYTES, MAX_PATTERNS};
use crate::json::MAX_STEPS;

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Error {
    /// The place, as a JSON pointer (RFC 6901) into the filter.
    pub pointer: String,
    /// The reason.
    pub reason: Reason,
}

/// What is wrong at the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the sentences say it")]
pub enum Reason {
    #[error(
        "a filter is a JSON object, for example `{{\"data\": {{\"total\": {{\"$gte\": 100}}}}}}`; `null` is none"
    )]
    NotAnObject,
    #[error("a filter has at most {MAX_BYTES} bytes; this has {0}")]
    TooLong(usize),
    #[error("a filter nests at most {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("a filter has at most {MAX_CONDITIONS} conditions")]
    TooManyConditions,
    #[error("a filter has at most {MAX_PATTERNS} times `$regex`")]
    TooManyPatterns,
    #[error("`{0}` is no operator; there are {operators}", operators = super::parse::OPERATORS)]
    UnknownOperator(String),
    #[error("an event has no `{0}`; a condition begins with {roots}", roots = super::place::ROOTS)]
    UnknownRoot(String),
    #[error("the key `{0}` is there twice; join its conditions with `$and`")]
    DuplicateKey(String),
    #[error("there is no condition here; to compare with an empty object, write `{{\"$eq\": {{}}}}`")]
    NoCondition,
    #[error("`{0}` tests a value; it stands below {roots}", roots = super::place::ROOTS)]
    NoValueToTest(String),
    #[error("`metadata` is tested by its keys, for example `{{\"metadata\": {{\"team\": \"a\"}}}}`")]
    WholeMetadata,
    #[error("there is nothing inside of `{0}`, which is a text")]
    NothingInside(Box<str>),
    #[error("`{0}` is a text, and is never equal to or ordered with anything else; compare it with a text")]
    NotAText(Box<str>),
    #[error("`timestamp` is compared with a time of RFC 3339, for example `\"2024-03-15T14:30:00Z\"`")]
    NotATime,
    #[error("this is no JSON pointer: after `~` comes `0` (for `~`) or `1` (for `/`)")]
    Pointer,
    #[error("a place is at most {MAX_STEPS} steps deep")]
    TooManySteps,
    #[error("`{operator}` wants {wanted}")]
    Operand {
        /// The operator.
        operator: &'static str,
        /// What it wants.
        wanted: &'static str,
    },
    #[error("a pattern has at most {MAX_PATTERN_BYTES} bytes; this has {0}")]
    PatternTooLong(usize),
    #[error("this is no regular expression that can be used here: {0}")]
    Pattern(String),
}

impl Reason {
    /// The error of this reason at a place.
    pub(super) fn at(self, pointer: &str) -> Error {
        Error { pointer: pointer.to_owned(), reason: self }
    }
}
