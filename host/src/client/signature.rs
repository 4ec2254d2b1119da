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

/// The one version of symmetric signatures.
const VERSION: &str = "v1,";

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
    #[error("there is no signature of version v1")]
    NoneOfV1,
    #[error("no signature is that of this secret over this id, timestamp and body")]
    Different,
}

impl Message<'_> {
    /// The signature with this secret: `v1,` and base64.
    pub(super) fn sign(&self, key: &SigningKey) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(self.body);
        format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// Whether one of the signatures of the header, which stand with spaces between, is that of one of the secrets.
    ///
    /// # Errors
    /// None is.
    pub(super) fn verify(&self, keys: &[SigningKey], header: &str) -> Result<(), Mismatch> {
        let signatures: Vec<_> = header.split(' ').filter(|text| text.starts_with(VERSION)).collect();
        if signatures.is_empty() {
            return Err(Mismatch::NoneOfV1);
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
    fn one_right_signature_among_several_is_enough() {
        let header = format!("v1a,abc v1,AAAA {SIGNATURE}");
        assert_eq!(MESSAGE.verify(&keys(&[OTHER, SECRET]), &header), Ok(()));
        assert_eq!(MESSAGE.verify(&keys(&[OTHER]), &header), Err(Mismatch::Different));
        assert_eq!(MESSAGE.verify(&keys(&[SECRET]), "v1a,abc"), Err(Mismatch::NoneOfV1));
        assert_eq!(MESSAGE.verify(&keys(&[SECRET]), ""), Err(Mismatch::NoneOfV1));
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
