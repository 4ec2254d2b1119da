//! What the harness does with processes, proved with stand-ins for the gateway.

use super::*;

#[test]
fn reads_the_greeting_in_any_order() {
    let mut greeting = Greeting::default();
    greeting.read("something else");
    greeting.read("admin key (shown once): hk_1_2");
    assert!(!greeting.is_complete(false));
    greeting.read("listening on http://127.0.0.1:7400");
    assert!(greeting.is_complete(true));
    assert_eq!(greeting.address, Some(([127, 0, 0, 1], 7400).into()));
    assert_eq!(greeting.key.as_deref(), Some("hk_1_2"));
}

#[test]
fn reads_resident_memory() {
    assert_eq!(resident_kib("VmPeak:\t  9 kB\nVmRSS:\t   1234 kB\n"), Some(1234));
    assert_eq!(resident_kib("Name: x"), None);
}

#[tokio::test]
async fn a_binary_that_fails_shows_its_log() {
    let error = Setup::default().binary(stand_in("broken")).start().await.unwrap_err();
    assert!(format!("{error:#}").contains("no such setting"), "{error:#}");
}

#[tokio::test]
async fn starts_stops_kills_and_restarts_a_process() {
    let mut gateway = Setup::default().binary(stand_in("gateway")).quiet().start().await.unwrap();
    assert_eq!((gateway.base().as_str(), gateway.key()), ("http://127.0.0.1:9", "hk_a_b"));
    assert!(gateway.resident_kib().unwrap() > 0);
    assert!(gateway.restart().await.is_err());
    gateway.kill().await.unwrap();
    gateway.restart().await.unwrap();
    gateway.stop().await.unwrap();
}

/// A script in the place of the binary; not written by the test, because a file just written may still be busy when
/// another test forks.
fn stand_in(name: &str) -> PathBuf {
    crate::workspace().join("tests/stand-ins").join(name)
}
