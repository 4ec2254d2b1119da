//! The row of an endpoint: JSON, with every signing secret sealed.
//!
//! The model's endpoint leaves its secrets out when it is serialised, so that a clear one cannot slip into a row.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::codec::{self, Corrupt};
use super::failure::Failure;
use crate::model::{Endpoint, EndpointId, Secret, SecretId, SigningKey, UnixMs};
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
        let key = SigningKey::new(key).map_err(|_| Corrupt::Value { table: TABLE, field: "secrets" })?;
        endpoint.secrets.push(Secret { id, key, created_at, expires_at });
    }
    Ok(endpoint)
}

const fn owner(endpoint: &Endpoint, secret: SecretId) -> Owner<'_> {
    Owner { tenant: &endpoint.tenant, endpoint: endpoint.id, secret }
}

fn unusable(endpoint: &Endpoint, error: &OpenError) -> Failure {
    Error::Unusable(format!("{}: {error}", endpoint.id)).into()
}
