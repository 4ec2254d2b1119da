//! What callers say about the form in which requests to an endpoint are signed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::request_input::header_name;
use crate::http::Problem;
use crate::model::{RequestOptions, SignatureStyle};

/// Room for any scheme's name; every active secret repeats it.
const MAX_PREFIX_BYTES: usize = 32;

/// The field `signature` of an endpoint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewSignature", extend("required" = ["style"]))]
pub(super) struct SignatureInput {
    /// The form of the signature.
    #[schemars(with = "StyleName")]
    style: Option<StyleName>,
    /// The header that the receiver reads it from; not with `standard`.
    header: Option<String>,
    /// What stands before the hex; with `hmac-hex` only.
    prefix: Option<String>,
}

/// In which form requests are signed, beside that of Standard Webhooks.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "SignatureStyleName")]
enum StyleName {
    /// In no other.
    Standard,
    /// The hex HMAC-SHA256 of the body, as GitHub signs.
    HmacHex,
    /// `t=SECONDS,v1=HEX`: the hex HMAC-SHA256 of `SECONDS.BODY`, as Stripe signs.
    Timestamped,
}

impl SignatureInput {
    /// The style that this describes.
    ///
    /// # Errors
    /// 422 for what is missing, for what the style does not have, and for a header that an owner may not set.
    pub(super) fn into_style(self) -> Result<SignatureStyle, Problem> {
        let Self { style, header, prefix } = self;
        let Some(style) = style else {
            let detail = "`style` is missing: `standard`, `hmac-hex` or `timestamped`";
            return Err(Problem::invalid("/signature/style", detail));
        };
        match style {
            StyleName::Standard => {
                absent(
                    header,
                    "/signature/header",
                    "`standard` has no `header`: its headers have fixed names",
                )?;
                absent(prefix, "/signature/prefix", "only `hmac-hex` has a `prefix`")?;
                Ok(SignatureStyle::Standard)
            }
            StyleName::HmacHex => {
                let prefix = checked_prefix(prefix.unwrap_or_default())?;
                Ok(SignatureStyle::HmacHex { header: checked_header(header)?, prefix })
            }
            StyleName::Timestamped => {
                absent(prefix, "/signature/prefix", "only `hmac-hex` has a `prefix`")?;
                Ok(SignatureStyle::Timestamped { header: checked_header(header)? })
            }
        }
    }
}

/// Whether the header of the style is none of those that the owner sets; `at` is what the caller changes.
///
/// # Errors
/// 422 if it is one.
pub(super) fn check_header(request: &RequestOptions, at: &str) -> Result<(), Problem> {
    let Some(name) = request.signature.header() else { return Ok(()) };
    if !request.headers.iter().any(|header| header.name == name) {
        return Ok(());
    }
    let detail =
        format!("`{name}` is both in `headers` and the header of `signature`: name one of them otherwise");
    Err(Problem::invalid(at, detail))
}

fn absent(field: Option<String>, at: &str, reason: &str) -> Result<(), Problem> {
    if field.is_none() { Ok(()) } else { Err(Problem::invalid(at, reason)) }
}

fn checked_header(given: Option<String>) -> Result<String, Problem> {
    let at = "/signature/header";
    let Some(name) = given else {
        let detail = "`header` is missing: the header that the receiver reads the signature from";
        return Err(Problem::invalid(at, detail));
    };
    header_name(&name).map_err(|reason| Problem::invalid(at, reason))
}

/// A comma would not be told from those between the values of several secrets.
fn checked_prefix(prefix: String) -> Result<String, Problem> {
    let is_visible = prefix.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if is_visible && prefix.len() <= MAX_PREFIX_BYTES {
        return Ok(prefix);
    }
    let detail = format!("`prefix` has at most {MAX_PREFIX_BYTES} visible ASCII characters and no `,`");
    Err(Problem::invalid("/signature/prefix", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse;
    use crate::model::Header;

    fn style(json: &str) -> Result<SignatureStyle, Problem> {
        parse::<SignatureInput>(json)?.into_style()
    }

    fn pointer_of(json: &str) -> Option<String> {
        style(json).expect_err(json).pointer().map(str::to_owned)
    }

    #[test]
    fn each_style_is_read_with_its_header_in_lower_case() {
        assert_eq!(style(r#"{"style":"standard"}"#), Ok(SignatureStyle::Standard));
        let header = "x-hub-signature-256".to_owned();
        let json = r#"{"style":"hmac-hex","header":"X-Hub-Signature-256","prefix":"sha256="}"#;
        let hex = SignatureStyle::HmacHex { header: header.clone(), prefix: "sha256=".to_owned() };
        assert_eq!(style(json), Ok(hex));
        let bare = style(r#"{"style":"hmac-hex","header":"x-hub-signature-256"}"#);
        assert_eq!(bare, Ok(SignatureStyle::HmacHex { header, prefix: String::new() }));
        let timestamped = SignatureStyle::Timestamped { header: "stripe-signature".to_owned() };
        assert_eq!(style(r#"{"style":"timestamped","header":"Stripe-Signature"}"#), Ok(timestamped));
    }

    #[test]
    fn what_a_style_lacks_or_does_not_have_is_named() {
        for (json, pointer) in [
            ("{}", "/signature/style"),
            (r#"{"style":"hmac-hex"}"#, "/signature/header"),
            (r#"{"style":"timestamped"}"#, "/signature/header"),
            (r#"{"style":"standard","header":"x-a"}"#, "/signature/header"),
            (r#"{"style":"standard","prefix":""}"#, "/signature/prefix"),
            (r#"{"style":"timestamped","header":"x-a","prefix":"v0="}"#, "/signature/prefix"),
            (r#"{"style":"hmac-hex","header":"x-a","prefix":"a,b="}"#, "/signature/prefix"),
            (r#"{"style":"hmac-hex","header":"x-a","prefix":"a\r\nb: c"}"#, "/signature/prefix"),
            (r#"{"style":"hmac-hex","header":"x-a","prefix":"ä"}"#, "/signature/prefix"),
            (r#"{"style":"hmac-hex","header":"x-a","prefix":" "}"#, "/signature/prefix"),
        ] {
            assert_eq!(pointer_of(json).as_deref(), Some(pointer), "{json}");
        }
        let long = format!(r#"{{"style":"hmac-hex","header":"x-a","prefix":"{}"}}"#, "x".repeat(33));
        assert_eq!(pointer_of(&long).as_deref(), Some("/signature/prefix"));
        assert_eq!(pointer_of(r#"{"style":"rot13"}"#).as_deref(), Some("/style"));
        assert_eq!(pointer_of(r#"{"style":"standard","haeder":"x"}"#).as_deref(), Some("/haeder"));
    }

    #[test]
    fn a_header_that_is_the_gateways_is_refused() {
        for name in
            ["webhook-signature", "Webhook-Id", "webhook-x", "Host", "content-type", "hookway-x", "a b", ""]
        {
            let json = serde_json::json!({ "style": "timestamped", "header": name }).to_string();
            assert_eq!(pointer_of(&json).as_deref(), Some("/signature/header"), "{name}");
        }
    }

    #[test]
    fn one_header_has_one_value() {
        let request = RequestOptions {
            headers: vec![Header { name: "x-sig".into(), value: "1".into() }],
            signature: SignatureStyle::Timestamped { header: "x-sig".to_owned() },
            ..RequestOptions::NONE
        };
        assert_eq!(check_header(&request, "/headers").unwrap_err().pointer(), Some("/headers"));
        let other = RequestOptions { signature: SignatureStyle::Standard, ..request };
        assert!(check_header(&other, "/headers").is_ok());
    }
}
