//! Where something stands in a trace, as W3C Trace Context writes it (<https://www.w3.org/TR/trace-context/>).
//!
//! - A `traceparent` is taken as the standard says or not at all; so is a `tracestate`, without which the trace goes on.
//! - Of a future version the part that is known is read, and the known version is written.
//! - What is stored with an event is bounded: 512 characters of `tracestate`, as many as the standard asks for.

mod state;

use std::fmt;
use std::num::NonZero;

/// The text of a version that is known; one of a later version may be longer.
const LEN: usize = 55;
/// The flags of the standard: sampled, and that the trace id is random. All others are reserved.
const KNOWN_FLAGS: u8 = SAMPLED | 0b10;
const SAMPLED: u8 = 1;

/// A trace: 16 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZero<u128>);

/// A span in it: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZero<u64>);

/// A span of a trace, for whoever goes on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span: the parent of what comes next.
    pub span: SpanId,
    /// `trace-flags`.
    pub flags: u8,
    /// `tracestate`, if there is any: valid, and at most 512 characters.
    pub state: Option<Box<str>>,
}

impl TraceContext {
    /// That of the values of the headers `traceparent` and `tracestate`; `None` if there is no valid one.
    pub fn of_headers<'a>(
        mut parents: impl Iterator<Item = &'a [u8]>,
        states: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let parent = parents.next()?;
        if parents.next().is_some() {
            return None;
        }
        let (trace, span, flags) = parse(parent)?;
        Some(Self { trace, span, flags, state: state::parse(states) })
    }

    /// The same, from what was stored; `None` if that cannot be.
    #[must_use]
    pub fn stored((trace, span, flags, state): (u128, u64, u8, Option<&str>)) -> Option<Self> {
        let kept = match state {
            None => None,
            Some(text) => Some(state::parse([text.as_bytes()].into_iter())?),
        };
        Some(Self { trace: TraceId::new(trace)?, span: SpanId::new(span)?, flags, state: kept })
    }

    /// What is stored.
    #[must_use]
    pub fn to_stored(&self) -> (u128, u64, u8, Option<&str>) {
        (self.trace.0.get(), self.span.0.get(), self.flags, self.state.as_deref())
    }

    /// Whether whoever began the trace, or came before, records it.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Another span of the trace. Flags that nobody knows are not handed on.
    #[must_use]
    pub fn at(&self, span: SpanId) -> Self {
        Self { span, flags: self.flags & KNOWN_FLAGS, ..self.clone() }
    }

    /// The first span of a trace.
    #[must_use]
    pub const fn root(trace: TraceId, span: SpanId, is_sampled: bool) -> Self {
        Self { trace, span, flags: if is_sampled { SAMPLED } else { 0 }, state: None }
    }
}

/// The value of `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace.0, self.span.0, self.flags)
    }
}

impl TraceId {
    /// That of these bits; `None` if all are zero.
    #[must_use]
    pub fn new(bits: u128) -> Option<Self> {
        NonZero::new(bits).map(Self)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    /// That of these bits; `None` if all are zero.
    #[must_use]
    pub fn new(bits: u64) -> Option<Self> {
        NonZero::new(bits).map(Self)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0.get()
    }
}

/// The fields of a `traceparent` (section 3.2).
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let (known, rest) = text.split_at_checked(LEN)?;
    let dashes = [2, 35, 52].map(|place| known[place] == b'-');
    let version = number(&known[..2])?;
    let ends = if version == 0 { rest.is_empty() } else { rest.first().is_none_or(|next| *next == b'-') };
    if version == 0xff || dashes != [true; 3] || !ends {
        return None;
    }
    let flags = u8::try_from(number(&known[53..])?).ok()?;
    let trace = TraceId::new(number(&known[3..35])?)?;
    let span = SpanId::new(u64::try_from(number(&known[36..52])?).ok()?)?;
    Some((trace, span, if version == 0 { flags } else { flags & KNOWN_FLAGS }))
}

/// Hexadecimal in lower case, up to 32 digits.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests;
