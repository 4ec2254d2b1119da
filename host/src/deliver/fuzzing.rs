//! What owners and receivers say, for a fuzzer: a URL to send to, and when to come again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use url::Host;

use super::classify::{Moment, conclude};
use super::{Policy, check_target};
use crate::model::{AttemptOutcome, Header, RetrySchedule, UnixMs};

const NOW: UnixMs = UnixMs(1_710_513_000_000);
const WAIT: Duration = Duration::from_secs(10);
/// A day, and the jitter.
const LONGEST: Duration = Duration::from_secs(86_400 * 6 / 5 + 1);

/// The value of `Retry-After`: the next attempt is neither early nor after more than a day.
pub(crate) fn retry_after(bytes: &[u8]) {
    for status in [429, 503, 500] {
        let header = Header { name: "retry-after".into(), value: Bytes::copy_from_slice(bytes) };
        let (headers, body) = (vec![header], Bytes::new());
        let outcome = AttemptOutcome::Answered { status, headers, body, truncated: false };
        let (schedule, moment) = (RetrySchedule::new(vec![WAIT]), Moment { now: NOW, wall: NOW });
        let due_at = conclude(&outcome, 1, &schedule, moment, &mut StdRng::seed_from_u64(1)).due_at;
        let wait = due_at.expect("there is another attempt").since(NOW);
        assert!(wait <= LONGEST && !wait.is_zero(), "the next attempt would come after {wait:?}");
        assert!(status != 500 || wait >= WAIT.mul_f64(0.8), "500 asks for nothing");
    }
}

/// A URL that somebody wants deliveries sent to: what is taken stays what it is, and names nothing that is not public.
pub(crate) fn target_url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for allow_http in [false, true] {
        let policy = Policy { allow_http, ..Policy::default() };
        let Ok(url) = check_target(text, &policy) else { continue };
        assert_eq!(
            check_target(url.as_str(), &policy).as_ref(),
            Ok(&url),
            "it means something else when read again"
        );
        assert!(url.scheme() == "https" || allow_http, "{url} is in clear");
        assert!(url.username().is_empty() && url.password().is_none(), "{url} has a password");
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) | None => None,
        };
        let port = url.port_or_known_default().unwrap_or_default();
        assert!(ip.is_none_or(|ip| policy.allows_address(SocketAddr::new(ip, port))), "{url} is not public");
    }
}
