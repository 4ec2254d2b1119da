//! What a scripted receiver answers.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

/// What happens to one request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is answered.
    Reply(Reply),
    /// It is never answered; the connection stays open.
    Hang,
    /// The connection is reset (RST) without an answer.
    Reset,
    /// An answer begins, and its connection (over HTTP/2 its stream) ends before it does.
    Half,
    /// No answer, and over HTTP/2 none to others on the connection either: GOAWAY. Over HTTP/1.1 the same as [`Self::Half`].
    GoAway,
}

/// An answer that is sent.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers besides those that HTTP itself needs.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How long the receiver takes before it answers.
    pub delay: Duration,
}

/// Answers still to be used; the last is repeated.
#[derive(Debug, Default)]
pub(super) struct Script(VecDeque<Answer>);

impl Answer {
    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Reply(Reply { status, headers: Vec::new(), body: Bytes::new(), delay: Duration::ZERO })
    }

    /// The same with a header more. Means nothing for an answer that is not sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply(reply) = &mut self {
            reply.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same with a body. Means nothing for an answer that is not sent.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if let Self::Reply(reply) = &mut self {
            reply.body = body.into();
        }
        self
    }

    /// The same after a delay. Means nothing for an answer that is not sent.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        if let Self::Reply(reply) = &mut self {
            reply.delay = delay;
        }
        self
    }
}

impl Script {
    /// The answer to the next request.
    pub(super) fn next(&mut self) -> Answer {
        if self.0.len() > 1 { self.0.pop_front() } else { self.0.front().cloned() }
            .unwrap_or_else(|| Answer::status(200))
    }
}

impl FromIterator<Answer> for Script {
    fn from_iter<I: IntoIterator<Item = Answer>>(answers: I) -> Self {
        Self(answers.into_iter().collect())
    }
}
