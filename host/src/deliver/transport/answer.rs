//! Reads an answer without trusting its length.

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::error::SendError;
use crate::model::{AttemptOutcome, Header};

/// Reading a little more than is kept lets an ordinary error page end and its connection be used again.
const READ_LIMIT: usize = 64 * 1024;
/// Enough for a person to see what the receiver complains about.
const KEEP_LIMIT: usize = 16 * 1024;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// For the log.
    pub(super) outcome: AttemptOutcome,
    /// Whether all of it was read, so that its connection can carry another request.
    pub(super) complete: bool,
}

/// Reads the body up to the limit. What is beyond it is never read; the caller closes the connection.
pub(super) async fn read(response: Response<Incoming>, deadline: Instant) -> Result<Answer, SendError> {
    let (head, mut body) = response.into_parts();
    let status = head.status.as_u16();
    let mut kept = BytesMut::new();
    let mut length = 0;
    let complete = loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Ok(None) => break true,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(source))) => return Err(SendError::BodyBroken { status, source }),
            Err(_) => return Err(SendError::BodyTimeout { status }),
        };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        kept.extend_from_slice(&data[..data.len().min(KEEP_LIMIT - kept.len())]);
        if length > READ_LIMIT {
            break false;
        }
    };
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| Header {
        name: name.as_str().to_owned().into(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    let outcome = AttemptOutcome::Answered {
        status,
        headers: head.headers.iter().map(header).collect(),
        truncated: length > kept.len(),
        body: Bytes::from(kept),
    };
    Ok(Answer { outcome, complete })
}
