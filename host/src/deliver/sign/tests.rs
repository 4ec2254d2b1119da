//! What is signed, against vectors of others.

use super::*;
use crate::model::{EndpointId, Secret, SecretId, TenantId};

const SECRET_1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECRET_2: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PRIVATE: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const ID_1: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const ID_2: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const BODY: &str = r#"{"test": 2432232314}"#;
const SECS: u64 = 1_614_265_330;
/// "It's a Secret to Everybody", of GitHub's documentation.
const GITHUB: &str = "whsec_SXQncyBhIFNlY3JldCB0byBFdmVyeWJvZHk=";

fn secret(key: &str, expires_at: Option<UnixMs>) -> Secret {
    let id = SecretId::from_u128(1);
    Secret { id, key: key.parse().unwrap(), created_at: UnixMs(0), expires_at }
}

fn endpoint(secrets: Vec<Secret>, style: SignatureStyle) -> Endpoint {
    let url = "https://example.com/".parse().unwrap();
    let mut endpoint = Endpoint::new(EndpointId::from_u128(1), TenantId::default(), url, UnixMs(0));
    endpoint.request.signature = style;
    Endpoint { secrets, ..endpoint }
}

fn sign(secrets: &[Secret], id: &str, secs: u64, body: &str) -> Option<String> {
    let endpoint = endpoint(secrets.to_vec(), SignatureStyle::Standard);
    let signed = signatures(&endpoint, &id.parse().unwrap(), UnixMs(secs * 1000 + 999), body.as_bytes())?;
    assert!(signed.of_style.is_none());
    Some(signed.standard)
}

/// Name and value of the header of a style.
fn header_of(style: SignatureStyle, keys: &[&str], secs: u64, body: &str) -> Option<(String, String)> {
    let endpoint = endpoint(keys.iter().map(|key| secret(key, None)).collect(), style);
    let signed = signatures(&endpoint, &ID_1.parse().unwrap(), UnixMs(secs * 1000), body.as_bytes())?;
    let header = signed.of_style.unwrap();
    Some((header.name.into_owned(), String::from_utf8(header.value.to_vec()).unwrap()))
}

fn hmac_hex(prefix: &str) -> SignatureStyle {
    SignatureStyle::HmacHex { header: "x-hub-signature-256".to_owned(), prefix: prefix.to_owned() }
}

fn timestamped() -> SignatureStyle {
    SignatureStyle::Timestamped { header: "stripe-signature".to_owned() }
}

/// From the tests of the reference libraries (Python, JavaScript, Go and others; Rust); the last, with an empty
/// body, was computed with another implementation.
#[test]
fn the_vectors_of_the_reference_libraries_come_out() {
    let user = r#"{"email":"test@example.com","username":"test_user"}"#;
    for (key, id, secs, body, expected) in [
        (SECRET_1, ID_1, SECS, BODY, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        (SECRET_2, ID_2, 1_649_367_553, user, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
        (SECRET_2, ID_2, 1_649_367_553, "", "v1,6cbczhS31q83Zdm/V683g4djRU169SlQvXyea0gV7vo="),
    ] {
        assert_eq!(sign(&[secret(key, None)], id, secs, body).as_deref(), Some(expected));
    }
}

/// From Svix, whose test of asymmetric signatures is the only published vector.
#[test]
fn the_published_vector_of_ed25519_comes_out() {
    let expected =
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    assert_eq!(sign(&[secret(PRIVATE, None)], ID_1, SECS, BODY).as_deref(), Some(expected));
}

#[test]
fn each_active_secret_of_either_type_signs_once_with_one_space_between() {
    let all = [secret(PRIVATE, None), secret(SECRET_1, None), secret(SECRET_2, None)];
    let signed = sign(&all, "evt_1", 5, "{}").unwrap();
    let each: Vec<_> = all.map(|secret| sign(&[secret], "evt_1", 5, "{}").unwrap()).into();
    assert_eq!(signed, each.join(" "), "in the order of the secrets, newest first");
    assert!(each[0].starts_with("v1a,") && each[1].starts_with("v1,"));
    assert!(each.iter().all(|one| one.matches(',').count() == 1 && !one.contains(' ')));
}

#[test]
fn an_expired_secret_no_longer_signs_and_without_one_nothing_is_signed() {
    for key in [SECRET_1, PRIVATE] {
        let expired = secret(key, Some(UnixMs(5_000)));
        let with_new = sign(&[expired.clone(), secret(SECRET_2, None)], "evt_1", 5, "{}");
        assert_eq!(with_new, sign(&[secret(SECRET_2, None)], "evt_1", 5, "{}"));
        assert!(sign(std::slice::from_ref(&expired), "evt_1", 4, "{}").is_some());
        assert_eq!(sign(&[expired], "evt_1", 5, "{}"), None);
    }
}

/// The vector of GitHub's documentation; the second digest was computed with Python's `hmac`.
#[test]
fn hmac_hex_is_what_github_sends() {
    let header = |prefix, keys: &[&str]| header_of(hmac_hex(prefix), keys, SECS, "Hello, World!").unwrap();
    let one = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let two = "c02dd603f162c3e410b9e7977135a3ddf028eb8fd5a288538b1a5df68fb4aea9";
    assert_eq!(header("sha256=", &[GITHUB]), ("x-hub-signature-256".to_owned(), format!("sha256={one}")));
    assert_eq!(header("", &[GITHUB]).1, one);
    assert_eq!(header("sha256=", &[GITHUB, SECRET_2]).1, format!("sha256={one},sha256={two}"));
}

/// The scheme of Stripe's documentation; the digests were computed with Python's `hmac`.
#[test]
fn timestamped_is_what_stripe_sends() {
    let one = "535d8497d859c07ff9680d86abba5699ebc7378ff8fa0443f98861d0826821f7";
    let two = "ceffaeca917d4478d54b48106035df4325abfa6acd104be9fd97005dc260b9f4";
    let (name, value) = header_of(timestamped(), &[GITHUB, SECRET_2], SECS, BODY).unwrap();
    assert_eq!((&*name, value), ("stripe-signature", format!("t=1614265330,v1={one},v1={two}")));
}

#[test]
fn a_style_is_signed_by_symmetric_secrets_only_and_by_none_without_one() {
    for style in [hmac_hex(""), timestamped()] {
        let alone = header_of(style.clone(), &[SECRET_1], SECS, BODY);
        assert_eq!(header_of(style.clone(), &[PRIVATE, SECRET_1], SECS, BODY), alone);
        assert_eq!(header_of(style.clone(), &[PRIVATE], SECS, BODY), None);
        let both = [secret(PRIVATE, None), secret(SECRET_1, Some(UnixMs(SECS * 1000)))];
        let endpoint = endpoint(both.into(), style);
        assert!(signatures(&endpoint, &ID_1.parse().unwrap(), UnixMs(SECS * 1000 - 1), b"").is_some());
        assert!(signatures(&endpoint, &ID_1.parse().unwrap(), UnixMs(SECS * 1000), b"").is_none());
    }
}
