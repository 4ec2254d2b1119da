//! Standard Webhooks signatures as a receiver sees them: made again from the secret and compared in constant time.
//!
//! Not the code that signs deliveries, so that each shows a mistake of the other.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::model::SigningKey;

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// `webhook-id`.
    pub(super) id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub(super) timestamp: u64,
    /// The exact bytes.
    pub(super) body: &'a [u8],
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error("the timestamp is {0} s before the time of this machine, more than is tolerated")]
    TooOld(u64),
    #[error("the timestamp is {0} s after the time of this machine, more than is tolerated")]
    TooNew(u64),
    #[error("there is no signature of the version that the secret makes: v1 of `whsec_`, v1a of `whsk_`")]
    NoneOfVersion,
    #[error("no signature is that of this secret over this id, timestamp and body")]
    Different,
}

impl Message<'_> {
    /// The signature with this secret: its version, a comma and base64.
    pub(super) fn sign(&self, key: &SigningKey) -> String {
        let head = format!("{}.{}.", self.id, self.timestamp);
        let signature = match key {
            SigningKey::Hmac(key) => {
                let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
                let mut mac = mac.expect("HMAC takes keys of any length");
                mac.update(head.as_bytes());
                mac.update(self.body);
                STANDARD.encode(mac.finalize().into_bytes())
            }
            SigningKey::Ed25519(key) => STANDARD.encode(key.sign(&[head.as_bytes(), self.body])),
        };
        format!("{}{signature}", version(key))
    }

    /// Whether one of the signatures of the header, which stand with spaces between, is that of one of the secrets.
    ///
    /// # Errors
    /// None is.
    pub(super) fn verify(&self, keys: &[SigningKey], header: &str) -> Result<(), Mismatch> {
        let known = |text: &&str| keys.iter().any(|key| text.starts_with(version(key)));
        let signatures: Vec<_> = header.split(' ').filter(known).collect();
        if signatures.is_empty() {
            return Err(Mismatch::NoneOfVersion);
        }
        let is_right = |key: &SigningKey| {
            let expected = self.sign(key);
            signatures.iter().any(|given| bool::from(given.as_bytes().ct_eq(expected.as_bytes())))
        };
        if keys.iter().any(is_right) { Ok(()) } else { Err(Mismatch::Different) }
    }

    /// Whether the timestamp is near enough to now, in seconds since 1970, that nobody sends an old request again.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check_time(&self, now: u64, tolerance: Duration) -> Result<(), Mismatch> {
        let tolerance = tolerance.as_secs();
        match (now.saturating_sub(self.timestamp), self.timestamp.saturating_sub(now)) {
            (age, _) if age > tolerance => Err(Mismatch::TooOld(age)),
            (_, ahead) if ahead > tolerance => Err(Mismatch::TooNew(ahead)),
            _ => Ok(()),
        }
    }
}

/// What stands before the signatures of a key. The comma keeps `v1` from being found in `v1a`.
const fn version(key: &SigningKey) -> &'static str {
    match key {
        SigningKey::Hmac(_) => "v1,",
        SigningKey::Ed25519(_) => "v1a,",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    /// From the tests of the reference libraries.
    const MESSAGE: Message<'_> = Message {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: 1_614_265_330,
        body: br#"{"test": 2432232314}"#,
    };
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn keys(texts: &[&str]) -> Vec<SigningKey> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_vector_of_the_reference_libraries_comes_out() {
        assert_eq!(MESSAGE.sign(&keys(&[SECRET])[0]), SIGNATURE);
    }

    #[test]
    fn a_private_key_signs_as_v1a() {
        let private =
            "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
        let signed =
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        assert_eq!(MESSAGE.sign(&keys(&[private])[0]), signed);
        let header = format!("{SIGNATURE} {signed}");
        assert_eq!(MESSAGE.verify(&keys(&[private]), &header), Ok(()));
        assert_eq!(MESSAGE.verify(&keys(&[private]), SIGNATURE), Err(Mismatch::NoneOfVersion));
    }

    #[test]
    fn one_right_signature_among_several_is_enough() {
        let header = format!("v1a,abc v1,AAAA {SIGNATURE}");
        assert_eq!(MESSAGE.verify(&keys(&[OTHER, SECRET]), &header), Ok(()));
        assert_eq!(MESSAGE.verify(&keys(&[OTHER]), &header), Err(Mismatch::Different));
        assert_eq!(MESSAGE.verify(&keys(&[SECRET]), "v1a,abc"), Err(Mismatch::NoneOfVersion));
        assert_eq!(MESSAGE.verify(&keys(&[SECRET]), ""), Err(Mismatch::NoneOfVersion));
    }

    #[test]
    fn a_change_of_id_time_or_body_is_noticed() {
        for message in [
            Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJeK", ..MESSAGE },
            Message { timestamp: MESSAGE.timestamp + 1, ..MESSAGE },
            Message { body: br#"{"test": 2432232315}"#, ..MESSAGE },
        ] {
            assert_eq!(message.verify(&keys(&[SECRET]), SIGNATURE), Err(Mismatch::Different));
        }
    }

    #[test]
    fn an_old_request_is_refused_as_is_one_of_the_future() {
        let check = |now: u64| MESSAGE.check_time(now, Duration::from_secs(300));
        let at = MESSAGE.timestamp;
        assert_eq!((check(at + 300), check(at - 300)), (Ok(()), Ok(())));
        assert_eq!(
            (check(at + 301), check(at - 301)),
            (Err(Mismatch::TooOld(301)), Err(Mismatch::TooNew(301)))
        );
    }
}
