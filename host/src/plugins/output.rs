//! What a transform may put into a request.

use http::{HeaderName, HeaderValue};

use super::bindings::transform::{Header as GuestHeader, Request};
use super::text::clean;
use crate::model::{CustomRequest, Header};

/// Receivers and proxies refuse requests with many or long headers; common limits are 8 KiB a line and 100 lines.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 4096;
/// Has a field of its own in what a transform returns.
const CONTENT_TYPE: &str = "content-type";

/// Why a transform's output is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IllegalOutput {
    /// Not a header name.
    #[error("`{0}` is not a header name")]
    Name(String),
    /// A header that plugins may not touch.
    #[error("the header `{0}` belongs to the gateway or to the connection; plugins may not set or remove it")]
    Refused(String),
    /// Not a header value.
    #[error(
        "the value of the header `{0}` has characters that are not allowed, or more than {MAX_HEADER_BYTES} bytes"
    )]
    Value(String),
    /// Too many headers.
    #[error("it sets or removes more than {MAX_HEADERS} headers")]
    TooMany,
    /// Not a media type.
    #[error("`{0}` is not a content type, for example `application/json`")]
    ContentType(String),
}

/// Checks what a transform returned and lays it over what the transforms before it made.
pub(super) fn replace(
    before: Option<&CustomRequest>,
    request: Request,
) -> Result<CustomRequest, IllegalOutput> {
    if request.set_headers.len() + request.remove_headers.len() > MAX_HEADERS {
        return Err(IllegalOutput::TooMany);
    }
    let content_type = request.content_type.map(content_type).transpose()?;
    let mut custom = before.map_or_else(empty, Clone::clone);
    custom.body = request.body.into();
    custom.content_type = content_type.or(custom.content_type);
    for name in request.remove_headers {
        let name = header_name(&name)?;
        custom.set_headers.retain(|header| header.name != name);
        if !custom.remove_headers.contains(&name) {
            custom.remove_headers.push(name);
        }
    }
    for header in request.set_headers {
        let header = checked(header)?;
        custom.remove_headers.retain(|name| *name != header.name);
        custom.set_headers.retain(|earlier| earlier.name != header.name);
        custom.set_headers.push(header);
    }
    let total = custom.set_headers.len() + custom.remove_headers.len();
    if total > MAX_HEADERS { Err(IllegalOutput::TooMany) } else { Ok(custom) }
}

const fn empty() -> CustomRequest {
    CustomRequest {
        body: bytes::Bytes::new(),
        content_type: None,
        set_headers: Vec::new(),
        remove_headers: Vec::new(),
    }
}

fn checked(header: GuestHeader) -> Result<Header, IllegalOutput> {
    let name = header_name(&header.name)?;
    if header.value.len() > MAX_HEADER_BYTES || HeaderValue::from_bytes(&header.value).is_err() {
        return Err(IllegalOutput::Value(name));
    }
    Ok(Header { name: name.into(), value: header.value.into() })
}

fn header_name(name: &str) -> Result<String, IllegalOutput> {
    let Ok(valid) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(IllegalOutput::Name(clean(name)));
    };
    let name = valid.as_str();
    let refused = name == CONTENT_TYPE || Header::is_reserved(name);
    if refused { Err(IllegalOutput::Refused(name.to_owned())) } else { Ok(name.to_owned()) }
}

/// `type/subtype`, parameters as they are, in visible ASCII.
fn content_type(text: String) -> Result<String, IllegalOutput> {
    let is_token = |part: &str| HeaderName::from_bytes(part.as_bytes()).is_ok();
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let is_type = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    let is_value = text.len() <= 256 && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if is_type && is_value { Ok(text) } else { Err(IllegalOutput::ContentType(clean(&text))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(set: &[(&str, &str)], remove: &[&str]) -> Request {
        let header =
            |(name, value): &(&str, &str)| GuestHeader { name: (*name).into(), value: (*value).into() };
        Request {
            body: b"{}".to_vec(),
            content_type: None,
            set_headers: set.iter().map(header).collect(),
            remove_headers: remove.iter().map(|&name| name.into()).collect(),
        }
    }

    #[test]
    fn headers_of_the_gateway_and_the_connection_are_refused() {
        let names = [
            "host",
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "upgrade",
            "proxy-authorization",
            "webhook-id",
            "Webhook-Signature",
            "hookway-delivery-id",
            "content-type",
        ];
        for name in names {
            let refused = Err(IllegalOutput::Refused(name.to_lowercase()));
            assert_eq!(replace(None, request(&[(name, "x")], &[])), refused, "set {name}");
            assert_eq!(replace(None, request(&[], &[name])), refused, "remove {name}");
        }
    }

    #[test]
    fn what_could_split_a_request_is_refused() {
        for name in [":path", "a b", "a\r\nb", "", "ü", "a:"] {
            let result = replace(None, request(&[(name, "x")], &[]));
            assert!(matches!(result, Err(IllegalOutput::Name(_))), "{name:?}");
        }
        let long = "x".repeat(MAX_HEADER_BYTES + 1);
        for value in ["a\r\nb: c", "a\0b", long.as_str()] {
            let result = replace(None, request(&[("x-a", value)], &[]));
            assert_eq!(result, Err(IllegalOutput::Value("x-a".into())));
        }
        for text in ["", "json", "a/b/c", "a/b\r\nx: y", "/", "a/ü"] {
            let with_type = Request { content_type: Some(text.into()), ..request(&[], &[]) };
            assert!(matches!(replace(None, with_type), Err(IllegalOutput::ContentType(_))), "{text:?}");
        }
        let many = vec![("x-a", "b"); MAX_HEADERS + 1];
        assert_eq!(replace(None, request(&many, &[])), Err(IllegalOutput::TooMany));
    }

    #[test]
    fn the_later_transform_wins() {
        let first = Request {
            content_type: Some("text/plain; charset=utf-8".into()),
            ..request(&[("X-A", "1"), ("x-b", "2")], &["user-agent"])
        };
        let first = replace(None, first).unwrap();
        let second = replace(Some(&first), request(&[("x-a", "3"), ("user-agent", "me")], &["x-b"])).unwrap();
        let header =
            |name: &str, value: &str| Header { name: name.to_owned().into(), value: value.to_owned().into() };
        assert_eq!(second.set_headers, [header("x-a", "3"), header("user-agent", "me")]);
        assert_eq!(second.remove_headers, ["x-b"]);
        assert_eq!(second.content_type.as_deref(), Some("text/plain; charset=utf-8"));
    }
}
