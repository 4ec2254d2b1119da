//! Addresses that the guard has let through.
//!
//! Only [`Policy::admit`] makes an [`Admitted`], and only an [`Admitted`] is ever connected to: that nothing else is
//! contacted, not even to see whether it answers, is checked by the compiler.

use std::net::SocketAddr;

use super::Policy;

/// The addresses of a target in canonical form, every one of them allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::deliver) struct Admitted(Vec<SocketAddr>);

impl Policy {
    /// These addresses, if every one is allowed. One that is not refuses all: a name that mixes public and internal
    /// addresses is an attack or a mistake, and picking the good ones would hide which.
    pub(in crate::deliver) fn admit(&self, addresses: Vec<SocketAddr>) -> Option<Admitted> {
        let all_allowed = addresses.iter().all(|address| self.allows_address(*address));
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        all_allowed.then(|| Admitted(addresses.into_iter().map(canonical).collect()))
    }
}

impl Admitted {
    /// The addresses, in the order of the answer.
    pub(in crate::deliver) fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn one_forbidden_answer_refuses_the_name() {
        let policy = Policy::default();
        assert!(policy.admit(addresses(&["8.8.8.8:443", "[2606:4700:4700::1111]:443"])).is_some());
        for mixed in
            [["8.8.8.8:443", "[::1]:443"], ["10.0.0.1:443", "8.8.8.8:443"], ["8.8.8.8:443", "8.8.8.8:6379"]]
        {
            assert_eq!(policy.admit(addresses(&mixed)), None, "{mixed:?}");
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothing_is_judged_and_connected_to_as_ipv4() {
        let policy = Policy::default();
        let admitted = policy.admit(addresses(&["[::ffff:8.8.8.8]:443"])).unwrap();
        assert_eq!(admitted.addresses(), addresses(&["8.8.8.8:443"]));
        assert_eq!(policy.admit(addresses(&["[::ffff:127.0.0.1]:443"])), None);
    }
}
