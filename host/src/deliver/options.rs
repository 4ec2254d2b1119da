//! The settings of deliveries.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::guard::{AllowedName, AllowedNetwork, Policy};
use super::name_server::NameServer;
use crate::model::RetrySchedule;

/// A receiver further away than this is not reachable in any useful sense.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Two to three round trips and a slow machine's cryptography.
const DEFAULT_TLS_TIMEOUT: Duration = Duration::from_secs(5);
/// The lower end of what Standard Webhooks recommends (15 to 30 s).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
/// The upper end; it also bounds how long a stop of the gateway takes.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// About the span of the retry schedule: by then the first delivery that failed is given up, or nearly.
const DEFAULT_FAIL_AFTER: Duration = Duration::from_hours(72);

/// How deliveries are sent, and where they may go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether endpoints may have `http://` URLs. Default: false.
    pub allow_http: bool,
    /// Networks that are not public and may be delivered to, such as `10.0.0.0/8` or `127.0.0.0/8:9000-9099`.
    pub allow_networks: Vec<AllowedNetwork>,
    /// Internal names that may be delivered to, such as `receiver` or `.svc.cluster.local`; see [`AllowedName`].
    pub allow_names: Vec<AllowedName>,
    /// Whether HTTP/2 is spoken with receivers that choose it. Default: true.
    pub http2: bool,
    /// The DNS servers to ask, such as `10.0.0.2` or `10.0.0.2:5353`. Default: those of the system.
    pub dns_servers: Vec<NameServer>,
    /// The time for a TCP connection, all addresses of the name together. Default: 5 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub connect_timeout: Duration,
    /// The time for the TLS handshake. Default: 5 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub tls_timeout: Duration,
    /// The time for a whole attempt, from the name's resolution to the end of the answer. Default: 15 s, at most 30 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// An endpoint that fails for this long without one success is deactivated. Default: 3 days.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub fail_after: Duration,
    /// A PEM file with certificate authorities to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// The waits between attempts, such as `["5s", "1m", "1h"]`. Default: 18 attempts over 3 days.
    #[serde(deserialize_with = "schedule")]
    pub retry: RetrySchedule,
}

/// A setting that cannot be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// A time limit of zero, or one that is too long.
    #[error("`deliver.{0}` must be more than 0 s and at most {max} s", max = MAX_TIMEOUT.as_secs())]
    Timeout(&'static str),
    /// Every endpoint would be deactivated by its first failure.
    #[error("`deliver.fail_after` must be more than 0 s")]
    FailAfter,
    /// The resolver does not take what it was given.
    #[error("`deliver.dns_servers`: names cannot be resolved with these servers: {0}")]
    Resolver(#[source] hickory_resolver::net::NetError),
    /// The file of authorities cannot be read.
    #[error("`deliver.ca_file` names `{path}`, which cannot be read as PEM: {source}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// The file has nothing in it, or something that is no authority.
    #[error(
        "`deliver.ca_file` names `{path}`, which has no certificate that can be used; put CA certificates into it"
    )]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
}

impl Options {
    /// What the guard is to let through.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            allow_http: self.allow_http,
            allow_networks: self.allow_networks.clone(),
            allow_names: self.allow_names.clone(),
        }
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// [`OptionsError::Timeout`], [`OptionsError::FailAfter`].
    pub(super) fn check(&self) -> Result<(), OptionsError> {
        let limits = [
            ("connect_timeout", self.connect_timeout),
            ("tls_timeout", self.tls_timeout),
            ("timeout", self.timeout),
        ];
        match limits.into_iter().find(|(_, limit)| limit.is_zero() || *limit > MAX_TIMEOUT) {
            Some((name, _)) => Err(OptionsError::Timeout(name)),
            None if self.fail_after.is_zero() => Err(OptionsError::FailAfter),
            None => Ok(()),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_networks: Vec::new(),
            allow_names: Vec::new(),
            http2: true,
            dns_servers: Vec::new(),
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            tls_timeout: DEFAULT_TLS_TIMEOUT,
            timeout: DEFAULT_TIMEOUT,
            fail_after: DEFAULT_FAIL_AFTER,
            ca_file: None,
            retry: RetrySchedule::default(),
        }
    }
}

fn schedule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RetrySchedule, D::Error> {
    #[derive(Deserialize)]
    struct Wait(#[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")] Duration);
    let waits = Vec::<Wait>::deserialize(deserializer)?;
    Ok(RetrySchedule::new(waits.into_iter().map(|wait| wait.0).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_networks_are_written_as_people_write_them() {
        let options: Options = toml::from_str(
            r#"
            allow_http = true
            allow_networks = ["127.0.0.0/8", "10.0.0.0/8:8080"]
            dns_servers = ["10.0.0.2", "[fd00::2]:5353"]
            timeout = "1500ms"
            retry = ["5s", "1h 30m"]
            "#,
        )
        .unwrap();
        assert_eq!(options.timeout, Duration::from_millis(1500));
        assert_eq!(
            options.retry,
            RetrySchedule::new(vec![Duration::from_secs(5), Duration::from_secs(5400)])
        );
        assert_eq!(options.policy().allow_networks.len(), 2);
        assert_eq!(options.dns_servers[1].address(), "[fd00::2]:5353".parse().unwrap());
        assert_eq!(options.connect_timeout, DEFAULT_CONNECT_TIMEOUT);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert!(
            toml::from_str::<Options>("allow_htpp = true").unwrap_err().to_string().contains("allow_htpp")
        );
        let network = toml::from_str::<Options>(r#"allow_networks = ["10.0.0.1"]"#).unwrap_err();
        assert!(network.to_string().contains("10.0.0.0/8"), "{network}");
        let server = toml::from_str::<Options>(r#"dns_servers = ["dns.example.com"]"#).unwrap_err();
        assert!(server.to_string().contains("`10.0.0.2:5353`"), "{server}");
        for timeout in [Duration::ZERO, Duration::from_secs(31)] {
            let error = Options { timeout, ..Options::default() }.check().unwrap_err();
            assert!(error.to_string().contains("`deliver.timeout`"), "{error}");
        }
        let error = Options { fail_after: Duration::ZERO, ..Options::default() }.check().unwrap_err();
        assert!(error.to_string().contains("`deliver.fail_after`"), "{error}");
    }
}
