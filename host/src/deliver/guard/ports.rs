//! Ports that webhooks are received on. A POST to another one talks to a service that did not ask for it.

const USUAL_BELOW_1024: [u16; 2] = [80, 443];

/// Services that take commands as text or without a password, above 1023: databases, caches, brokers, container and
/// cluster control, remote desktops.
const KNOWN_SERVICES: [u16; 33] = [
    1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5671, 5672, 5900, 5984, 6000,
    6379, 6380, 6443, 7000, 7001, 8500, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 26379, 27017, 27018,
];

/// 80, 443 and everything from 1024 on that no well-known service uses.
pub(super) fn is_usual(port: u16) -> bool {
    USUAL_BELOW_1024.contains(&port) || (port >= 1024 && !KNOWN_SERVICES.contains(&port))
}
