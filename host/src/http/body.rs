//! Request bodies, read within a size and a time.
//!
//! The time is kept by [`Timed`], which wraps every body before any handler sees it: a stalled body ends with an error
//! wherever it is read. The size is the handler's business and is kept by [`read_body`].

use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::Problem;

/// A body that fails with [`TooSlow`] when it is not complete in time.
pub(super) struct Timed {
    body: Incoming,
    deadline: Instant,
    /// Made when the body first has to be waited for; most have arrived with their head.
    timer: Option<Pin<Box<Sleep>>>,
    ended: Ended,
}

/// Whether a body was read to its end. Clones share the answer.
#[derive(Debug, Clone)]
pub(super) struct Ended(Arc<AtomicBool>);

/// The body was not complete in time.
#[derive(Debug, thiserror::Error)]
#[error("the body was not complete in time")]
struct TooSlow;

impl Timed {
    pub(super) fn new(body: Incoming, limit: Duration) -> Self {
        let ended = Ended(Arc::new(AtomicBool::new(body.is_end_stream())));
        Self { body, deadline: Instant::now() + limit, timer: None, ended }
    }

    /// Tells, also once the body is gone, whether it was read to its end.
    pub(super) fn ended(&self) -> Ended {
        self.ended.clone()
    }
}

impl Ended {
    pub(super) fn is_true(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if frame.is_none() || self.body.is_end_stream() {
                self.ended.0.store(true, Ordering::Release);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(context).map(|()| Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Up to this size a body is copied out of the buffer of its connection, 8 KiB, which can then be used for the next request. As long as
/// a part of it is kept, the connection takes a new one.
const COPIED: usize = 4 << 10;

/// The whole body, of at most `limit` bytes. A large one that came in one piece is not copied.
///
/// # Errors
/// 413 when it is larger, known from `Content-Length` before anything is read; 408 when it is not complete in time; 400
/// when the connection broke or the chunks are malformed.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::too_large(format!("the body may have at most {limit} bytes; send less at once"));
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.as_mut().frame().await {
        let Ok(data) = frame.map_err(|error| broken_body(&error))?.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            return Err(too_large());
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            // Copied, not kept as pieces: many tiny pieces would cost a multiple of the limit.
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(match all.is_empty() {
        true if first.len() <= COPIED => Bytes::copy_from_slice(&first),
        true => first,
        false => all.freeze(),
    })
}

/// The body as text: JSON is UTF-8 (RFC 8259, section 8.1).
///
/// # Errors
/// 400 with the place of the first byte that is not.
pub fn text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        Problem::malformed(format!("the body is not UTF-8 at byte {place}; send JSON as UTF-8"))
    })
}

/// What it means that a body ended with an error.
#[must_use]
pub fn broken_body(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooSlow>() {
            let detail = "the body was not complete in time; send it faster or in smaller requests";
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail);
        }
        cause = error.source();
    }
    Problem::malformed("the body ended early or its chunks are malformed; send the request again")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A body of unknown size that comes in these pieces.
    struct Pieces(Vec<&'static [u8]>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let piece = (!self.0.is_empty()).then(|| self.0.remove(0));
            Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece)))))
        }
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_copied_if_it_is_small() {
        for (size, is_copied) in [(COPIED, true), (COPIED + 1, false)] {
            let bytes = Bytes::from(vec![b'a'; size]);
            let read = read_body(Body::from(bytes.clone()), 8 * COPIED).await.unwrap();
            assert_eq!((&read, read.as_ptr() != bytes.as_ptr()), (&bytes, is_copied));
        }
    }

    #[tokio::test]
    async fn the_limit_holds_with_and_without_a_length() {
        let pieces = || Body::new(Pieces(vec![b"ab", b"", b"cd", b"e"]));
        assert_eq!(read_body(pieces(), 5).await.unwrap(), "abcde");
        for body in [pieces(), Body::from("abcde")] {
            assert_eq!(read_body(body, 4).await.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
    }

    #[test]
    fn what_is_not_utf_8_is_refused_with_the_place() {
        let problem = text(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
        assert!(problem.detail().contains("byte 6"), "{}", problem.detail());
    }
}
