//! Watches the heads of requests on their way to hyper, for what hyper takes and a proxy in front may read in another way.
//!
//! hyper takes lines that end without a carriage return, a `Content-Length` that stands there twice, and one beside a
//! `Transfer-Encoding`, of which it shows only the latter. Where two programs disagree about the end of a request, a
//! client can hide a second one in it (RFC 9112, 11.2).
//!
//! Rules:
//!
//! - Nothing is changed or held back. Heads that can be read in one way only are counted, and a request is answered only
//!   if its head was: a head that is not understood here is refused and never let through.
//! - What follows a chunked body is not looked at, so a connection ends with its first chunked request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is kept of a line: room for the two names that matter, and for a length with spaces around it.
const KEPT: usize = 64;

/// What came over a connection so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    heads: AtomicUsize,
    since_head: AtomicUsize,
}

/// A stream whose heads are watched.
pub(super) struct Watched<S> {
    stream: S,
    heads: Heads,
    seen: Seen,
}

/// Follows requests through the bytes of a connection, however they are split.
#[derive(Debug, Default)]
struct Heads {
    place: Place,
    line: Line,
    /// Whether the line with method and target was read.
    is_begun: bool,
    body: Body,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    /// In a body with so many bytes to come.
    Body(u64),
    /// In something that is not followed.
    Unknown,
}

/// What the head says about the body.
#[derive(Debug, Default, Clone, Copy)]
enum Body {
    #[default]
    None,
    Length(u64),
    Chunked,
}

/// The beginning of a line, its length, and its last byte.
#[derive(Debug, Default)]
struct Line {
    kept: Vec<u8>,
    length: usize,
    last: u8,
}

impl Seen {
    /// How many good heads there were.
    pub(super) fn heads(&self) -> usize {
        self.0.heads.load(Ordering::Relaxed)
    }

    /// How many bytes came after the last of them.
    pub(super) fn since_head(&self) -> usize {
        self.0.since_head.load(Ordering::Relaxed)
    }
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, seen: Seen) -> Self {
        Self { stream, heads: Heads::default(), seen }
    }
}

impl Heads {
    /// Looks at the next bytes. Returns how many good heads end in them, and how many bytes follow the last one.
    fn see(&mut self, mut bytes: &[u8]) -> (usize, usize) {
        let (mut heads, mut since) = (0, bytes.len());
        while !bytes.is_empty() {
            match self.place {
                Place::Unknown => break,
                Place::Body(left) => {
                    let here = left.min(bytes.len() as u64);
                    let rest = left - here;
                    self.place = if rest == 0 { Place::Head } else { Place::Body(rest) };
                    bytes = &bytes[usize::try_from(here).unwrap_or(bytes.len())..];
                }
                Place::Head => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    self.line.add(&bytes[..end.unwrap_or(bytes.len())]);
                    bytes = end.map_or(&[], |end| &bytes[end + 1..]);
                    if end.is_some() && self.end_line() {
                        (heads, since) = (heads + 1, bytes.len());
                    }
                }
            }
        }
        (heads, since)
    }

    /// Takes the line in. True if it was the last one of a good head.
    fn end_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        let Some(length) = line.length.checked_sub(1).filter(|_| line.last == b'\r') else {
            self.place = Place::Unknown;
            return false;
        };
        match (length, self.is_begun) {
            // RFC 9112, 2.2: empty lines before a request do not count.
            (0, false) => false,
            (0, true) => {
                self.is_begun = false;
                self.place = match std::mem::take(&mut self.body) {
                    Body::None | Body::Length(0) => Place::Head,
                    Body::Length(length) => Place::Body(length),
                    Body::Chunked => Place::Unknown,
                };
                true
            }
            (_, false) => {
                self.is_begun = true;
                false
            }
            (_, true) => {
                match self.body.with(&line, length) {
                    Some(body) => self.body = body,
                    None => self.place = Place::Unknown,
                }
                false
            }
        }
    }
}

impl Body {
    /// The same once this line of `length` bytes is known; `None` if that leaves two ways to read it.
    fn with(self, line: &Line, length: usize) -> Option<Self> {
        let kept = &line.kept[..length.min(line.kept.len())];
        let name = kept.split(|byte| *byte == b':').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"content-length") {
            let is_whole = length <= KEPT;
            let value = kept.get(name.len() + 1..).filter(|_| is_whole)?.trim_ascii();
            let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()?;
            return matches!(self, Self::None).then_some(Self::Length(number));
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return matches!(self, Self::None).then_some(Self::Chunked);
        }
        Some(self)
    }
}

impl Line {
    fn add(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        self.last = *last;
        self.length = self.length.saturating_add(bytes.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(KEPT - self.kept.len())]);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let (heads, since) = self.heads.see(&buffer.filled()[before..]);
        // One task reads and answers, so nobody sees one of the two without the other.
        let counts = &self.seen.0;
        let before = if heads == 0 { counts.since_head.load(Ordering::Relaxed) } else { 0 };
        counts.since_head.store(before.saturating_add(since), Ordering::Relaxed);
        counts.heads.fetch_add(heads, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Good heads in these bytes, and bytes after the last, when they come in pieces of this size.
    fn see(bytes: impl AsRef<[u8]>, piece: usize) -> (usize, usize) {
        let mut watched = Heads::default();
        bytes.as_ref().chunks(piece).fold((0, 0), |(heads, since), piece| match watched.see(piece) {
            (0, more) => (heads, since + more),
            (more, since) => (heads + more, since),
        })
    }

    #[test]
    fn requests_are_followed_through_their_bodies() {
        let post = "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  5 \r\n\r\n\r\n\n:x";
        let get = "GET / HTTP/1.1\r\nhost: a\r\nx-long: ".to_owned() + &"y".repeat(1000) + "\r\n\r\n";
        for piece in [1, 2, 3, 7, 10_000] {
            assert_eq!(see(post, piece), (1, 5));
            assert_eq!(see([post, &get, "\r\n", post, post, &get].concat(), piece), (5, 0));
            assert_eq!(see(&get[..get.len() - 1], piece), (0, get.len() - 1));
        }
    }

    #[test]
    fn nothing_is_counted_from_a_head_on_that_can_be_read_in_two_ways() {
        let good = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        for fields in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "content-length: 5\r\nContent-Length: 5\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length:\r\n",
            "content-length: 99999999999999999999\r\n",
            &format!("content-length:{} 5\r\n", " ".repeat(KEPT)),
            "x: y\n",
            "\n",
        ] {
            let bad = format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
            for piece in [1, 3, 10_000] {
                assert_eq!(see([good, &bad, good, good].concat(), piece).0, 1, "{fields:?}");
            }
        }
    }

    #[test]
    fn what_follows_a_chunked_request_is_not_counted() {
        let chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(see([chunked, chunked].concat(), 1).0, 1);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_split(bytes in r"[aA:\r\n 05]{0,60}", piece in 1_usize..9) {
            prop_assert_eq!(see(&bytes, piece), see(&bytes, 60));
        }
    }
}
