//! Standard Webhooks signatures, version `v1`: HMAC-SHA256 over `{id}.{timestamp}.{body}`.
//!
//! Every active secret contributes one, so that a receiver may change to a new secret whenever it likes while both
//! are active. Receivers are strict about the form: one header, one space between signatures, one comma in each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::{EventId, Secret, SigningKey, UnixMs};

/// The value of `webhook-signature` at this time; `None` if no secret is active, for nothing goes out unsigned.
pub(super) fn signatures(secrets: &[Secret], id: &EventId, at: UnixMs, body: &[u8]) -> Option<String> {
    let head = format!("{id}.{}.", at.as_secs());
    let active = secrets.iter().filter(|secret| secret.is_active(at));
    active.map(|secret| signature(&secret.key, &head, body)).reduce(|all, next| all + " " + &next)
}

fn signature(key: &SigningKey, head: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(head.as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SecretId;

    const SECRET_1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SECRET_2: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn secret(key: &str, expires_at: Option<UnixMs>) -> Secret {
        let id = SecretId::from_u128(1);
        Secret { id, key: key.parse().unwrap(), created_at: UnixMs(0), expires_at }
    }

    fn sign(secrets: &[Secret], id: &str, secs: u64, body: &str) -> Option<String> {
        signatures(secrets, &id.parse().unwrap(), UnixMs(secs * 1000 + 999), body.as_bytes())
    }

    /// From the tests of the reference libraries (Python, JavaScript, Go and others; Rust); the third, with an empty
    /// body, was computed with another implementation.
    #[test]
    fn the_vectors_of_the_reference_libraries_come_out() {
        let (id_1, id_2) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
        let user = r#"{"email":"test@example.com","username":"test_user"}"#;
        for (key, id, secs, body, expected) in [
            (
                SECRET_1,
                id_1,
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (SECRET_2, id_2, 1_649_367_553, user, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
            (SECRET_2, id_2, 1_649_367_553, "", "v1,6cbczhS31q83Zdm/V683g4djRU169SlQvXyea0gV7vo="),
        ] {
            assert_eq!(sign(&[secret(key, None)], id, secs, body).as_deref(), Some(expected));
        }
    }

    #[test]
    fn each_active_secret_signs_once_with_one_space_between() {
        let both = sign(&[secret(SECRET_1, None), secret(SECRET_2, None)], "evt_1", 5, "{}").unwrap();
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(sign(&[secret(SECRET_1, None)], "evt_1", 5, "{}").as_deref(), Some(first));
        assert_eq!(sign(&[secret(SECRET_2, None)], "evt_1", 5, "{}").as_deref(), Some(second));
    }

    #[test]
    fn an_expired_secret_no_longer_signs_and_without_one_nothing_is_signed() {
        let expired = secret(SECRET_1, Some(UnixMs(5_000)));
        let with_new = sign(&[expired.clone(), secret(SECRET_2, None)], "evt_1", 5, "{}");
        assert_eq!(with_new, sign(&[secret(SECRET_2, None)], "evt_1", 5, "{}"));
        assert!(sign(std::slice::from_ref(&expired), "evt_1", 4, "{}").is_some());
        assert_eq!(sign(&[expired], "evt_1", 5, "{}"), None);
    }
}
