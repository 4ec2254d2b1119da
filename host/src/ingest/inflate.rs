//! `Content-Encoding: gzip`, inflated within limits.
//!
//! A few kilobytes can unpack to gigabytes. So a body is unpacked twice: first into nothing, to count, and only what stays within
//! the limit a second time, into memory of exactly that size. A bomb costs the time until it passes the limit and 64 KiB.

use std::io::{self, Read};

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use flate2::bufread::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::http::{Problem, read_body};

/// How many bytes a byte may become. Deflate gets to 1032 with zeros; lines of much the same JSON stay below 60.
const MAX_RATIO: usize = 100;
/// So much may come of any body, whatever the ratio: small bodies of the same few words repeat themselves well.
const ALWAYS: usize = 64 * 1024;
/// Above this, unpacking would keep other requests of the thread waiting for more than a millisecond.
const INLINE: usize = 256 * 1024;

/// The whole body, of at most `limit` bytes as it was sent and as it is.
///
/// # Errors
/// 415 for any encoding but `gzip` and `identity`; 413 when it is or becomes too large; 400 when it is not gzip; those of
/// [`read_body`].
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let is_packed = is_gzip(headers)?;
    let body = read_body(body, limit).await?;
    if !is_packed {
        return Ok(body);
    }
    // Counting ends at the limit, so that is what the work is measured by.
    if body.len().saturating_mul(MAX_RATIO).min(limit) <= INLINE {
        return inflate(&body, limit);
    }
    match tokio::task::spawn_blocking(move || inflate(&body, limit)).await {
        Ok(inflated) => inflated,
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// Whether the body is packed.
///
/// # Errors
/// 415 for what cannot be unpacked here.
fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let is = |value: &http::HeaderValue, name: &[u8]| value.as_bytes().eq_ignore_ascii_case(name);
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if is(one, b"identity") => Ok(false),
        (Some(one), None) if is(one, b"gzip") || is(one, b"x-gzip") => Ok(true),
        (Some(_), _) => Err(Problem::unsupported(
            "the `Content-Encoding` is not read here; send the body with `gzip`, once, or without",
        )),
    }
}

fn inflate(packed: &Bytes, limit: usize) -> Result<Bytes, Problem> {
    let size = measure(packed, limit)?;
    let mut inflated = Vec::with_capacity(size);
    decoder(packed).read_to_end(&mut inflated).map_err(|error| broken(&error))?;
    Ok(inflated.into())
}

/// How many bytes come of it; keeps none of them.
fn measure(packed: &Bytes, limit: usize) -> Result<usize, Problem> {
    let by_ratio = packed.len().saturating_mul(MAX_RATIO).max(ALWAYS);
    let allowed = limit.min(by_ratio);
    let mut counted = decoder(packed).take(allowed as u64 + 1);
    let size = io::copy(&mut counted, &mut io::sink()).map_err(|error| broken(&error))?;
    match usize::try_from(size) {
        Ok(size) if size <= allowed => Ok(size),
        _ if allowed == limit => Err(Problem::too_large(format!(
            "the body unpacks to more than {limit} bytes, which it may have at most; send less at once"
        ))),
        _ => Err(Problem::too_large(format!(
            "the body unpacks to more than {MAX_RATIO} times its size, as no real events do; send it without `Content-Encoding`"
        ))),
    }
}

/// Of all members: RFC 1952 allows several, one after another.
fn decoder(packed: &Bytes) -> MultiGzDecoder<bytes::buf::Reader<Bytes>> {
    MultiGzDecoder::new(packed.clone().reader())
}

fn broken(error: &io::Error) -> Problem {
    Problem::malformed(format!(
        "the body is not what its `Content-Encoding` says: {error}; send whole gzip data"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn read_as(encoding: &'static str, body: Vec<u8>, limit: usize) -> Result<Bytes, Problem> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))]);
        read(&headers, Body::from(body), limit).await
    }

    #[tokio::test]
    async fn what_was_packed_is_unpacked_all_of_its_members() {
        assert_eq!(read_as("gzip", packed(b"hello"), 100).await.unwrap(), "hello");
        let two = [packed(b"hel"), packed(b"lo")].concat();
        assert_eq!(read_as("GZIP", two, 100).await.unwrap(), "hello");
        assert_eq!(read_as("identity", b"hello".to_vec(), 5).await.unwrap(), "hello");
        let large: Vec<u8> =
            (0..400_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(read_as("gzip", packed(&large), 2_000_000).await.unwrap(), large);
    }

    #[tokio::test]
    async fn a_body_that_becomes_too_large_is_refused() {
        for (body, limit, word) in [
            (packed(&[b'a'; 200]), 199, "more than 199"),
            (packed(&[0; 1_000_000]), 500_000, "100 times"),
            (packed(&packed(&vec![0; 50_000_000])), 4_000, "4000"),
            (packed(&vec![b' '; 64 * 1024 + 1]), 1_000_000, "100 times"),
        ] {
            let problem = read_as("gzip", body, limit).await.unwrap_err();
            assert_eq!(problem.status(), StatusCode::PAYLOAD_TOO_LARGE);
            assert!(problem.detail().contains(word), "{}", problem.detail());
        }
        assert_eq!(read_as("gzip", packed(&[b'a'; 200]), 200).await.unwrap().len(), 200);
        assert!(read_as("gzip", packed(&vec![b' '; 64 * 1024]), 1_000_000).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_gzip_is_refused() {
        let whole = packed(b"hello");
        let mut altered = whole.clone();
        let crc = altered.len() - 8;
        altered[crc] ^= 1;
        let trailing = [whole.clone(), b"rest".to_vec()].concat();
        for body in [b"hello".to_vec(), Vec::new(), whole[..whole.len() - 1].to_vec(), altered, trailing] {
            let problem = read_as("gzip", body.clone(), 1000).await.expect_err(&format!("{body:?}"));
            assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
        }
        for encoding in ["br", "gzip, gzip", "identity, gzip", ""] {
            let problem = read_as(encoding, whole.clone(), 1000).await.unwrap_err();
            assert_eq!(problem.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
        }
    }
}
