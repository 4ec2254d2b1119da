//! From a host name to its addresses, without a thread that waits.
//!
//! Rules:
//!
//! - The hosts file answers before DNS. Both it and `/etc/resolv.conf` are read at the start.
//! - A name is asked for as it stands: search domains apply to the operator's own names only.
//! - Every address that is found is handed over, IPv4 and IPv6; who may be connected to is not decided here.
//! - Answers are kept for as long as they say, and at most for a minute. What is kept is judged anew at each use.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};

use crate::deliver::name_server::NameServer;
use crate::deliver::options::OptionsError;

/// For one question to one server; lost packets are asked for again within the time for a name.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Answers that are too long for UDP share one connection; more than this many at a time fail.
const MAX_QUESTIONS_ON_TCP: usize = 1_024;
/// Some hundred bytes each; a name takes two.
const CACHED_ANSWERS: u64 = 4_096;
/// As long as a connection is kept, so that a change of a name's addresses is followed as soon.
const CACHED_FOR: Duration = Duration::from_secs(60);
/// A name that does not exist may be one that is being set up.
const CACHED_FAILURE_FOR: Duration = Duration::from_secs(5);

/// Knows the addresses of names.
pub(super) struct Resolver {
    hosts: Hosts,
    dns: TokioResolver,
}

/// Whose name it is, which decides how it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Anybody's: it is asked for as it stands.
    Absolute,
    /// One that the operator vouches for: search domains apply.
    Searched,
}

/// Why a name has no addresses. The sentences do not name the servers that were asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// There is no such name, or it has neither an IPv4 nor an IPv6 address.
    #[error("the host of the URL does not resolve: there is no such name, or it has no address")]
    NoAddress,
    /// No server gave an answer that can be used.
    #[error("the host of the URL cannot be resolved now: the name servers gave no answer")]
    Failed(#[source] NetError),
}

impl Resolver {
    /// A resolver that asks these servers; those of the system if there are none.
    ///
    /// # Errors
    /// The resolver cannot work with these settings.
    pub(super) fn new(servers: &[NameServer]) -> Result<Self, OptionsError> {
        let (config, system) = if servers.is_empty() {
            system()
        } else {
            (asking(servers, Vec::new()), ResolverOpts::default())
        };
        // Without a hosts file there are no names in it.
        Self::with(config, system, Hosts::from_system().unwrap_or_default())
    }

    fn with(config: ResolverConfig, system: ResolverOpts, hosts: Hosts) -> Result<Self, OptionsError> {
        let mut dns = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *dns.options_mut() = options(system);
        Ok(Self { hosts, dns: dns.build().map_err(OptionsError::Resolver)? })
    }

    /// All addresses of a name; at least one.
    ///
    /// # Errors
    /// It has none, or nobody answers.
    pub(super) async fn addresses(&self, name: &str, lookup: Lookup) -> Result<Vec<IpAddr>, ResolveError> {
        let mut name = Name::from_ascii(name).map_err(|_| ResolveError::NoAddress)?;
        name.set_fqdn(lookup == Lookup::Absolute);
        let known = self.in_hosts_file(&name);
        if !known.is_empty() {
            return Ok(known);
        }
        match self.dns.lookup_ip(name).await {
            Ok(found) if found.iter().next().is_some() => Ok(found.iter().collect()),
            Ok(_) => Err(ResolveError::NoAddress),
            Err(error) if error.is_no_records_found() => Err(ResolveError::NoAddress),
            Err(error) => Err(ResolveError::Failed(error)),
        }
    }

    /// Both families at once: a name with an IPv4 address in the file must not wait for a server to be asked for IPv6.
    fn in_hosts_file(&self, name: &Name) -> Vec<IpAddr> {
        let of = |family| self.hosts.lookup_static_host(&Query::query(name.clone(), family));
        let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of).map(LookupIp::from);
        found.flatten().collect()
    }
}

/// What `/etc/resolv.conf` says. Without a server in it, the one on this machine is asked, as resolv.conf(5) has it.
fn system() -> (ResolverConfig, ResolverOpts) {
    read_system_conf().unwrap_or_else(|error| {
        tracing::warn!(
            %error,
            "the system names no DNS server, so one on this machine is asked; `deliver.dns_servers` names others"
        );
        let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
        (ResolverConfig::from_parts(None, Vec::new(), vec![local]), ResolverOpts::default())
    })
}

fn asking(servers: &[NameServer], search: Vec<Name>) -> ResolverConfig {
    let server = |server: &NameServer| {
        let address = server.address();
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        connections.iter_mut().for_each(|connection| connection.port = address.port());
        NameServerConfig::new(address.ip(), true, connections)
    };
    ResolverConfig::from_parts(None, search, servers.iter().map(server).collect())
}

fn options(mut options: ResolverOpts) -> ResolverOpts {
    options.timeout = QUESTION_TIMEOUT;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = MAX_QUESTIONS_ON_TCP;
    options.cache_size = CACHED_ANSWERS;
    options.positive_max_ttl = Some(CACHED_FOR);
    options.negative_max_ttl = Some(CACHED_FAILURE_FOR);
    options
}

#[cfg(test)]
mod tests {
    use super::super::tests::dns::{Dns, Reply};
    use super::*;

    const HOSTS: &str = "10.1.2.3 receiver receiver.example.com\nfd00::3 receiver\n10.1.2.4 v4only\n";

    /// A resolver with a search domain and a hosts file, and the server that it asks.
    async fn resolver(reply: impl FnMut(&str, RecordType) -> Reply + Send + 'static) -> (Resolver, Dns) {
        let dns = Dns::start(reply).await;
        let servers = [dns.address.to_string().parse().unwrap()];
        let config = asking(&servers, vec!["corp.example.".parse().unwrap()]);
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(HOSTS.as_bytes()).unwrap();
        (Resolver::with(config, ResolverOpts::default(), hosts).unwrap(), dns)
    }

    #[tokio::test]
    async fn search_domains_apply_to_the_operators_names_only() {
        let (resolver, dns) = resolver(|name, _| match name {
            "hooks.corp.example." => Reply::addresses(&["10.0.0.1"]),
            _ => Reply::addresses(&[]),
        })
        .await;
        let found = resolver.addresses("hooks", Lookup::Absolute).await;
        assert!(matches!(found, Err(ResolveError::NoAddress)));
        assert!(dns.asked().iter().all(|name| name == "hooks."), "{:?}", dns.asked());
        let found = resolver.addresses("hooks", Lookup::Searched).await.unwrap();
        assert_eq!(found, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_hosts_file_knows_needs_no_server() {
        let (resolver, dns) = resolver(|_, _| Reply::Silence).await;
        for (name, lookup, addresses) in [
            ("receiver", Lookup::Searched, &["10.1.2.3", "fd00::3"][..]),
            ("receiver.example.com", Lookup::Absolute, &["10.1.2.3"]),
            ("v4only", Lookup::Searched, &["10.1.2.4"]),
        ] {
            let found = resolver.addresses(name, lookup).await.unwrap();
            let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(found, addresses, "{name}");
        }
        assert_eq!(dns.asked(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_as_long_as_it_says() {
        let (resolver, dns) = resolver(|_, _| Reply::addresses(&["10.0.0.1", "fd00::1"])).await;
        for _ in 0..2 {
            let found = resolver.addresses("hooks.example.com", Lookup::Absolute).await.unwrap();
            assert_eq!(found.len(), 2);
        }
        assert_eq!(dns.asked().len(), 4, "answers for no time are asked for each time, in both families");
    }
}
