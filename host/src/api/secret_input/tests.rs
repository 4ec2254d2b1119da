//! What is taken for a secret and what is refused, by pointer.

use super::*;
use crate::http::parse;
use crate::model::{EndpointId, TenantId};

const NOW: UnixMs = UnixMs(1_710_513_000_000);
const LATER: &str = "2024-03-15T14:30:00.001Z";

fn endpoint() -> Endpoint {
    let url = "https://example.com/hook".parse().unwrap();
    Endpoint::new(EndpointId::new(NOW, 1), TenantId::default(), url, NOW)
}

fn made(json: &str) -> Result<Secret, Problem> {
    parse::<SecretInput>(json)?.into_secret(&SecretFields::below(""), NOW)
}

fn patched(json: &str) -> Result<Option<UnixMs>, Problem> {
    parse::<SecretPatch>(json)?.into_expiry(NOW)
}

#[test]
fn a_secret_that_is_not_given_is_made_of_32_random_bytes() {
    let (one, two) = (made("{}").unwrap(), made("{}").unwrap());
    assert_eq!(one.key.as_hmac().unwrap().as_bytes().len(), 32);
    assert!(one.key != two.key && one.id != two.id && one.is_active(NOW) && one.expires_at.is_none());
}

#[test]
fn an_expiry_is_in_the_future_or_refused() {
    assert_eq!(made(&format!(r#"{{"expires_at":"{LATER}"}}"#)).unwrap().expires_at, Some(UnixMs(NOW.0 + 1)));
    for time in ["2024-03-15T14:30:00Z", "1969-01-01T00:00:00Z", "tomorrow", "", "2024-03-15"] {
        let problem = made(&format!(r#"{{"expires_at":"{time}"}}"#)).unwrap_err();
        assert_eq!(problem.pointer(), Some("/expires_at"), "{time}");
        assert_eq!(
            patched(&format!(r#"{{"expires_at":"{time}"}}"#)).unwrap_err().pointer(),
            Some("/expires_at")
        );
    }
}

#[test]
fn a_value_that_is_none_is_refused_and_not_repeated() {
    for value in ["whsec_c2hvcnQ=", "plain", "whsec_", "whsec_!!!"] {
        let problem = made(&format!(r#"{{"value":"{value}"}}"#)).unwrap_err();
        assert_eq!(problem.pointer(), Some("/value"), "{value}");
    }
    let input: SecretInput = parse(r#"{"value":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#).unwrap();
    assert!(!format!("{input:?}").contains("MfKQ"));
}

/// A key pair that Svix publishes.
const PRIVATE: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const SYMMETRIC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn a_type_says_what_is_made_and_a_value_says_its_type() {
    let kind = |json: &str| made(json).unwrap().key.kind();
    assert_eq!(kind("{}"), SecretType::HmacSha256);
    assert_eq!(kind(r#"{"type":"hmac-sha256"}"#), SecretType::HmacSha256);
    assert_eq!(kind(r#"{"type":"ed25519"}"#), SecretType::Ed25519);
    assert_ne!(made(r#"{"type":"ed25519"}"#).unwrap().key, made(r#"{"type":"ed25519"}"#).unwrap().key);
    assert_eq!(kind(&format!(r#"{{"value":"{PRIVATE}"}}"#)), SecretType::Ed25519);
    assert_eq!(kind(&format!(r#"{{"type":"ed25519","value":"{PRIVATE}"}}"#)), SecretType::Ed25519);
    for (kind, value) in [("ed25519", SYMMETRIC), ("hmac-sha256", PRIVATE)] {
        let problem = made(&format!(r#"{{"type":"{kind}","value":"{value}"}}"#)).unwrap_err();
        assert_eq!(problem.pointer(), Some("/type"));
    }
    assert_eq!(made(r#"{"type":"rsa"}"#).unwrap_err().pointer(), Some("/type"));
}

#[test]
fn a_key_pair_whose_halves_do_not_fit_is_refused_and_not_repeated() {
    let other = PRIVATE.replace("whsk_6X", "whsk_7X");
    let problem = made(&format!(r#"{{"value":"{other}"}}"#)).unwrap_err();
    assert_eq!((problem.pointer(), problem.status()), (Some("/value"), StatusCode::UNPROCESSABLE_ENTITY));
    assert!(!problem.detail().contains("b/dCc"), "{}", problem.detail());
}

fn of_endpoint(one: &str, all: Option<&str>) -> Result<Vec<Secret>, Problem> {
    of_new_endpoint(parse(one)?, all.map(parse).transpose()?, NOW)
}

#[test]
fn a_new_endpoint_has_one_secret_or_those_of_a_list_in_their_order() {
    assert_eq!(of_endpoint("{}", None).unwrap().len(), 1);
    let list = format!(r#"[{{"type":"ed25519"}},{{"value":"{SYMMETRIC}","expires_at":"{LATER}"}}]"#);
    let secrets = of_endpoint("{}", Some(&list)).unwrap();
    assert_eq!(secrets[0].key.kind(), SecretType::Ed25519);
    assert_eq!(
        (secrets[1].key.kind(), secrets[1].expires_at),
        (SecretType::HmacSha256, Some(UnixMs(NOW.0 + 1)))
    );
    assert_ne!(secrets[0].id, secrets[1].id);
}

#[test]
fn what_a_new_endpoint_cannot_have_is_named_by_its_pointer() {
    let one = format!(r#"{{"value":"{SYMMETRIC}"}}"#);
    let many = serde_json::to_string(&vec![serde_json::json!({}); MAX_SECRETS + 1]).unwrap();
    let twice = format!("[{one},{{}},{one}]");
    for (first, all, expected) in [
        (r#"{"value":"whsec_"}"#, None, "/secret"),
        (r#"{"expires_at":"1969-01-01T00:00:00Z"}"#, None, "/secret_expires_at"),
        (&one, Some("[{}]"), "/secrets"),
        ("{}", Some("[]"), "/secrets"),
        ("{}", Some(&*many), "/secrets"),
        ("{}", Some(&*twice), "/secrets/2/value"),
        ("{}", Some(r#"[{},{"value":"whsk_"}]"#), "/secrets/1/value"),
        ("{}", Some(r#"[{"expires_at":"soon"}]"#), "/secrets/0/expires_at"),
    ] {
        assert_eq!(of_endpoint(first, all).unwrap_err().pointer(), Some(expected), "{first} {all:?}");
    }
}

#[test]
fn a_patch_changes_the_expiry_and_nothing_else() {
    assert_eq!(patched(r#"{"expires_at":null}"#), Ok(None));
    assert_eq!(patched(&format!(r#"{{"expires_at":"{LATER}"}}"#)), Ok(Some(UnixMs(NOW.0 + 1))));
    assert_eq!(patched("{}").unwrap_err().pointer(), Some("/expires_at"));
    assert_eq!(patched(r#"{"expires_at":null,"value":"whsec_x"}"#).unwrap_err().pointer(), Some("/value"));
    assert_eq!(patched(r#"{"id":"sec_1"}"#).unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn the_newest_is_first_the_eleventh_and_a_second_of_the_same_value_are_refused() {
    let mut endpoint = endpoint();
    for _ in 0..MAX_SECRETS - 1 {
        add(&mut endpoint, made("{}").unwrap()).unwrap();
    }
    let newest = made("{}").unwrap();
    let again = Secret { id: SecretId::new(NOW, 5), ..newest.clone() };
    add(&mut endpoint, newest.clone()).unwrap();
    assert_eq!(endpoint.secrets[0], newest);
    assert_eq!(add(&mut endpoint, made("{}").unwrap()).unwrap_err().code(), "too_many_secrets");
    endpoint.secrets.pop();
    assert_eq!(add(&mut endpoint, again).unwrap_err().pointer(), Some("/value"));
}

#[test]
fn only_an_expired_secret_is_removed() {
    let mut endpoint = endpoint();
    let secret = made(&format!(r#"{{"expires_at":"{LATER}"}}"#)).unwrap();
    let id = secret.id.to_string();
    add(&mut endpoint, secret).unwrap();
    assert_eq!(remove(&mut endpoint, &id, NOW).unwrap_err().code(), "secret_active");
    assert_eq!(remove(&mut endpoint, "sec_x", NOW).unwrap_err().status(), StatusCode::NOT_FOUND);
    assert!(remove(&mut endpoint, &id, UnixMs(NOW.0 + 1)).is_ok());
    assert!(endpoint.secrets.is_empty());
}
