//! The row of an endpoint: JSON, with every signing secret sealed.
//!
//! The model's endpoint leaves its secrets out when it is serialised, so that a clear one cannot slip into a row.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::codec::{self, Corrupt};
use super::failure::Failure;
use crate::model::{Endpoint, EndpointId, HmacKey, Secret, SecretId, SigningKey, UnixMs};
use crate::store::Error;
use crate::vault::{OpenError, Owner, Vault};

const TABLE: &str = "endpoints";

/// The row.
#[derive(Serialize, Deserialize)]
pub(super) struct EndpointRow {
    /// All but the secrets.
    pub(super) endpoint: Endpoint,
    secrets: Vec<SecretRow>,
}

#[derive(Serialize, Deserialize)]
struct SecretRow {
    id: SecretId,
    /// Base64 of the vault's record.
    sealed: String,
    created_at: UnixMs,
    expires_at: Option<UnixMs>,
}

/// What format 1 had beside the fields of the endpoint: the secrets in clear.
#[derive(Deserialize)]
struct ClearSecrets {
    secrets: Vec<ClearSecret>,
}

#[derive(Deserialize)]
struct ClearSecret {
    id: SecretId,
    key: Vec<u8>,
    created_at: UnixMs,
    expires_at: Option<UnixMs>,
}

impl EndpointRow {
    /// The row of an endpoint, sealed with the current key.
    pub(super) fn seal(mut endpoint: Endpoint, vault: &Vault) -> Self {
        let secrets = std::mem::take(&mut endpoint.secrets);
        let seal = |secret: &Secret| SecretRow {
            id: secret.id,
            sealed: STANDARD.encode(vault.seal(&secret.key, owner(&endpoint, secret.id))),
            created_at: secret.created_at,
            expires_at: secret.expires_at,
        };
        Self { secrets: secrets.iter().map(seal).collect(), endpoint }
    }

    /// The endpoint with its secrets.
    pub(super) fn open(self, vault: &Vault) -> Result<Endpoint, Failure> {
        let Self { mut endpoint, secrets } = self;
        let mut opened = Vec::with_capacity(secrets.len());
        for SecretRow { id, sealed, created_at, expires_at } in secrets {
            let record = STANDARD.decode(sealed).map_err(|_| unusable(&endpoint, &OpenError::Malformed))?;
            let key =
                vault.open(&record, owner(&endpoint, id)).map_err(|error| unusable(&endpoint, &error))?;
            opened.push(Secret { id, key, created_at, expires_at });
        }
        endpoint.secrets = opened;
        Ok(endpoint)
    }

    /// Whether every secret is sealed with the current key.
    pub(super) fn is_current(&self, vault: &Vault) -> bool {
        let is_current = |record: Vec<u8>| vault.is_current(&record);
        self.secrets.iter().all(|secret| STANDARD.decode(&secret.sealed).is_ok_and(is_current))
    }

    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, Corrupt> {
        codec::from_json(TABLE, bytes)
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        codec::to_json(self)
    }

    pub(super) const fn id(&self) -> EndpointId {
        self.endpoint.id
    }
}

/// The endpoint in a row of format 1, which had the secrets in clear.
pub(super) fn from_format_1(bytes: &[u8]) -> Result<Endpoint, Corrupt> {
    let mut endpoint: Endpoint = codec::from_json(TABLE, bytes)?;
    let ClearSecrets { secrets } = codec::from_json(TABLE, bytes)?;
    for ClearSecret { id, key, created_at, expires_at } in secrets {
        let key = HmacKey::new(key).map_err(|_| Corrupt::Value { table: TABLE, field: "secrets" })?;
        endpoint.secrets.push(Secret { id, key: SigningKey::Hmac(key), created_at, expires_at });
    }
    Ok(endpoint)
}

const fn owner(endpoint: &Endpoint, secret: SecretId) -> Owner<'_> {
    Owner { tenant: &endpoint.tenant, endpoint: endpoint.id, secret }
}

fn unusable(endpoint: &Endpoint, error: &OpenError) -> Failure {
    Error::Unusable(format!("{}: {error}", endpoint.id)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SignatureStyle;

    /// Written by a Hookway that knew neither ed25519 nor signature styles.
    const BEFORE: &str = r#"{"endpoint":{"id":2067883330486478193514185228288000002,"tenant":"default","url":"https://example.com/hook","description":"","subscription":{"Patterns":[]},"plugins":[],"metadata":{},"rate_limit":0,"burst_limit":0,"ordering":"none","filter":null,"activity":"active","request":{"headers":[],"timeout":null,"retry":null},"created_at":1710513000000,"updated_at":1710513000000},"secrets":[{"id":2067883330486478193514185228288000003,"sealed":"AQNvbmU4KW+zj9KLGNoMl05rulu9VcV2USuiqXExHx99U//YS6jjAAW34xAG7JdjzXKwUPwXX5a0aPMqd+wuFcwuhgqv","created_at":1710513000000,"expires_at":null}]}"#;

    #[test]
    fn a_row_of_an_earlier_version_opens() {
        let vault = Vault::new("one AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse().unwrap());
        let endpoint = EndpointRow::from_json(BEFORE.as_bytes()).unwrap().open(&vault).unwrap();
        assert_eq!(endpoint.secrets[0].key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap());
        assert_eq!(endpoint.request.signature, SignatureStyle::Standard);
    }
}
