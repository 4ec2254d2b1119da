//! What is told about a request that arrived, and whether its signature is right. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use hyper::body::Bytes;
use serde_json::json;

use crate::client::line::{Line, Tone, lines};
use crate::client::pretty::pretty;
use crate::client::signature::Message;
use crate::model::{SigningKey, UnixMs};

/// How requests are verified.
pub(super) struct Check {
    keys: Vec<SigningKey>,
    tolerance: Duration,
}

/// What a request is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Verified,
    /// And why.
    Refused(String),
    /// There is no secret to verify with.
    Unknown,
}

/// A request that arrived.
#[derive(Debug)]
pub(super) struct Received {
    at: UnixMs,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Bytes,
    verdict: Verdict,
    status: StatusCode,
}

impl Check {
    pub(super) const fn new(keys: Vec<SigningKey>, tolerance: Duration) -> Self {
        Self { keys, tolerance }
    }

    fn judge(&self, headers: &HeaderMap, body: &[u8], now: UnixMs) -> Verdict {
        if self.keys.is_empty() {
            return Verdict::Unknown;
        }
        self.verify(headers, body, now).map_or_else(Verdict::Refused, |()| Verdict::Verified)
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: UnixMs) -> Result<(), String> {
        let header = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or_else(|| format!("there is no `{name}` header"))
        };
        let timestamp = header("webhook-timestamp")?.parse();
        let timestamp = timestamp.map_err(|_| "`webhook-timestamp` is not a number of seconds".to_owned())?;
        let message = Message { id: header("webhook-id")?, timestamp, body };
        let signatures = header("webhook-signature")?;
        let time = message.check_time(now.as_secs(), self.tolerance);
        time.and_then(|()| message.verify(&self.keys, signatures)).map_err(|mismatch| mismatch.to_string())
    }
}

impl Received {
    pub(super) fn new(head: &Parts, body: Bytes, check: &Check, at: UnixMs, status: StatusCode) -> Self {
        let verdict = check.judge(&head.headers, &body, at);
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &head.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let both = |all: &mut String| *all = format!("{all}, {value}");
            headers.entry(name.to_string()).and_modify(both).or_insert_with(|| value.to_string());
        }
        let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        Self { at, method: head.method.to_string(), path, headers, body, verdict, status }
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<Line> {
        let tone = if self.status.is_success() { Tone::Good } else { Tone::Bad };
        let head = Line::new(Tone::Strong, format!("{} {}", self.method, self.path))
            .and(Tone::Faint, format!("  {}  answered ", self.at))
            .and(tone, self.status.as_str());
        let mut all = vec![Line::default(), head, self.verdict.line().indented()];
        let header =
            |(name, value): (&String, &String)| Line::new(Tone::Faint, format!("{name}: {value}")).indented();
        all.extend(self.headers.iter().map(header));
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => lines(Tone::Plain, &pretty(text)),
            Err(_) => vec![Line::from(format!("({} bytes that are not text)", self.body.len()))],
        };
        all.extend(body.into_iter().map(Line::indented));
        all
    }

    /// For scripts.
    pub(super) fn json(&self) -> String {
        let (body, encoding) = match std::str::from_utf8(&self.body) {
            Ok(text) => (text.to_owned(), "text"),
            Err(_) => (STANDARD.encode(&self.body), "base64"),
        };
        let (verified, reason) = match &self.verdict {
            Verdict::Verified => (Some(true), None),
            Verdict::Refused(reason) => (Some(false), Some(reason)),
            Verdict::Unknown => (None, None),
        };
        json!({
            "at": self.at.to_string(), "method": self.method, "path": self.path, "headers": self.headers,
            "body": body, "body_encoding": encoding, "verified": verified, "reason": reason,
            "status": self.status.as_u16(),
        })
        .to_string()
    }
}

impl Verdict {
    fn line(&self) -> Line {
        match self {
            Self::Verified => Line::new(Tone::Good, "signature verified"),
            Self::Refused(reason) => Line::new(Tone::Bad, format!("signature refused: {reason}")),
            Self::Unknown => Line::new(Tone::Warning, "signature not verified: no --secret was given"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const NOW: UnixMs = UnixMs(1_614_265_330_000);

    /// The vector of the reference libraries.
    fn received(change: impl FnOnce(&mut HeaderMap), secrets: &[&str]) -> Received {
        let mut request = Request::post("/hook?a=1")
            .header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
            .header("webhook-timestamp", "1614265330")
            .header("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
            .body(())
            .unwrap();
        change(request.headers_mut());
        let keys = secrets.iter().map(|secret| secret.parse().unwrap()).collect();
        let check = Check::new(keys, Duration::from_secs(300));
        let body = Bytes::from_static(br#"{"test": 2432232314}"#);
        Received::new(&request.into_parts().0, body, &check, NOW, StatusCode::OK)
    }

    const SECRET: &[&str] = &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];

    #[test]
    fn a_signed_request_is_verified_and_shown() {
        let received = received(|_| {}, SECRET);
        let shown: Vec<_> = received.lines().iter().map(|line| line.render(false)).collect();
        assert_eq!(shown[1], "POST /hook?a=1  2021-02-25T15:02:10.000Z  answered 200");
        assert_eq!(shown[2], "  signature verified");
        assert_eq!(shown[shown.len() - 3..], ["  {", "    \"test\": 2432232314", "  }"]);
        let json: serde_json::Value = serde_json::from_str(&received.json()).unwrap();
        assert_eq!((&json["verified"], &json["body"]), (&json!(true), &json!(r#"{"test": 2432232314}"#)));
    }

    #[test]
    fn what_is_wrong_with_a_signature_is_said() {
        let reason = |received: Received| {
            let Verdict::Refused(reason) = received.verdict else { panic!("not refused") };
            reason
        };
        let without = |name: &'static str| move |headers: &mut HeaderMap| drop(headers.remove(name));
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            assert!(reason(received(without(name), SECRET)).contains(name));
        }
        let soon =
            |headers: &mut HeaderMap| drop(headers.insert("webhook-timestamp", "soon".parse().unwrap()));
        assert!(reason(received(soon, SECRET)).contains("seconds"));
        let other = &["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
        assert!(reason(received(|_| {}, other)).contains("no signature is that of this secret"));
        assert_eq!(received(|_| {}, &[]).verdict, Verdict::Unknown);
    }
}
