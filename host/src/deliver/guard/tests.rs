//! The suite of URLs, and addresses at random.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::suite::URLS;
use super::suite::Verdict::{self, Address, Fine, Parser, Static};
use super::*;

fn verdict(raw: &str, policy: &Policy) -> Verdict {
    match check_target(raw, policy) {
        Ok(_) => Fine,
        Err(TargetError::Parse(_)) => Parser,
        Err(TargetError::Address) => Address,
        Err(_) => Static,
    }
}

fn allowing(networks: &[&str]) -> Policy {
    let allow_networks = networks.iter().map(|text| text.parse().unwrap()).collect();
    Policy { allow_http: true, allow_networks, allow_names: Vec::new() }
}

#[test]
fn every_url_of_the_suite_gets_its_verdict() {
    let policy = allowing(&[]);
    for (raw, expected) in &URLS {
        assert_eq!(verdict(raw, &policy), *expected, "{raw:?}: {:?}", check_target(raw, &policy));
    }
}

#[test]
fn without_allow_http_every_plain_url_is_refused() {
    for (raw, _) in URLS.iter().filter(|(raw, _)| raw.starts_with("http:")) {
        assert!(check_target(raw, &Policy::default()).is_err(), "{raw:?}");
    }
    assert_eq!(check_target("http://example.com/", &Policy::default()), Err(TargetError::PlainHttp));
}

#[test]
fn a_target_has_one_spelling() {
    for (raw, normalised) in [
        ("https://EXAMPLE.com./hook", "https://example.com/hook"),
        ("https://example.com:443", "https://example.com/"),
        ("HTTPS://straße.example/a/../b?x#", "fragment"),
        ("https://straße.example/a/../b?x", "https://xn--strae-oqa.example/b?x"),
        ("https://example.com/a%2Fb?q=%41|{}^`", "https://example.com/a%2Fb?q=%41|{}^`"),
    ] {
        let url = check_target(raw, &Policy::default());
        assert_eq!(url.map_or("fragment".to_owned(), String::from), normalised, "{raw}");
    }
}

#[test]
fn hosts_that_dns_cannot_hold_are_refused() {
    let long_label = format!("https://{}.com/", "a".repeat(64));
    let long_name = format!("https://{}com/", "a.".repeat(130));
    for raw in
        [&*long_label, &*long_name, "https://a..b/", "https://./", "https://example.com../", "https://.a.b/"]
    {
        let error = check_target(raw, &Policy::default()).unwrap_err();
        assert!(matches!(error, TargetError::HostName | TargetError::Parse(_)), "{raw}: {error:?}");
    }
    let long_url = format!("https://example.com/{}", "a".repeat(2_000));
    assert_eq!(check_target(&long_url, &Policy::default()), Err(TargetError::TooLong));
}

#[test]
fn the_operator_opens_networks_ports_and_names_and_nothing_beside_them() {
    let policy = allowing(&["127.0.0.0/8", "10.1.0.0/16:22"]);
    for raw in [
        "http://127.0.0.1:9000/",
        "http://localhost:9000/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.1.2.3:22/",
    ] {
        assert_eq!(verdict(raw, &policy), Fine, "{raw}");
    }
    for raw in [
        "http://127.0.0.1:22/",
        "http://127.0.0.1:6379/",
        "http://10.1.2.3/",
        "http://[::1]/",
        "http://10.2.0.1:22/",
    ] {
        assert_ne!(verdict(raw, &policy), Fine, "{raw}");
    }
    assert!(!policy.allows_address("8.8.8.8:22".parse().unwrap()));
    let names = ["receiver", ".svc.cluster.local"].map(|name| name.parse().unwrap());
    let policy = Policy { allow_names: names.into(), ..policy };
    assert_eq!(verdict("http://receiver:8080/", &policy), Fine);
    assert_eq!(verdict("http://hooks.shop.svc.cluster.local/", &policy), Fine);
    assert_eq!(verdict("http://receiver2/", &policy), Static);
}

#[test]
fn a_refusal_does_not_repeat_the_address_and_says_what_to_change() {
    let error = check_target("https://10.1.2.3/", &Policy::default()).unwrap_err().to_string();
    assert!(!error.contains("10.1.2.3") && error.contains("`deliver.allow_networks`"), "{error}");
}

/// The same ranges once more as first and last addresses, written by hand.
fn is_public_by_hand(ip: IpAddr) -> bool {
    const V4: [(u32, u32); 19] = [
        (0x0000_0000, 0x00ff_ffff),
        (0x0a00_0000, 0x0aff_ffff),
        (0x6440_0000, 0x647f_ffff),
        (0x7f00_0000, 0x7fff_ffff),
        (0xa83f_8110, 0xa83f_8110),
        (0xa9fe_0000, 0xa9fe_ffff),
        (0xac10_0000, 0xac1f_ffff),
        (0xc000_0000, 0xc000_00ff),
        (0xc000_0200, 0xc000_02ff),
        (0xc01f_c400, 0xc01f_c4ff),
        (0xc034_c100, 0xc034_c1ff),
        (0xc058_6300, 0xc058_63ff),
        (0xc0a8_0000, 0xc0a8_ffff),
        (0xc0af_3000, 0xc0af_30ff),
        (0xc612_0000, 0xc613_ffff),
        (0xc633_6400, 0xc633_64ff),
        (0xcb00_7100, 0xcb00_71ff),
        (0xe000_0000, 0xefff_ffff),
        (0xf000_0000, 0xffff_ffff),
    ];
    match ip {
        IpAddr::V4(ip) => !V4.iter().any(|(first, last)| (*first..=*last).contains(&ip.to_bits())),
        IpAddr::V6(ip) => match ip.segments() {
            [0, 0, 0, 0, 0, 0xffff, high, low] => {
                is_public_by_hand(IpAddr::V4((u32::from(high) << 16 | u32::from(low)).into()))
            }
            [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002 | 0x3ffe, ..] => false,
            [0x3fff, 0..=0x0fff, ..] | [0x2620, 0x004f, 0x8000, ..] => false,
            [first, ..] => (0x2000..=0x3fff).contains(&first),
        },
    }
}

/// A random address, more often than not near the edge of a special block.
fn address(rng: &mut StdRng) -> IpAddr {
    const STARTS: [u128; 12] = [
        0x2001 << 112,
        0x2001_0200 << 96,
        0x2001_0db8 << 96,
        0x2002 << 112,
        0x2620_004f_8000 << 80,
        0x3ffe << 112,
        0x3fff << 112,
        0x3fff_1000 << 96,
        0x4000 << 112,
        0x0064_ff9b << 96,
        0xffff_0000_0000,
        0,
    ];
    const FIRST_BYTES: [u8; 9] = [0, 10, 100, 127, 168, 169, 172, 192, 203];
    if rng.random() {
        let [mut a, mut b, c, d]: [u8; 4] = rng.random();
        if rng.random() {
            a = FIRST_BYTES[rng.random_range(0..FIRST_BYTES.len())];
        }
        if rng.random() {
            b = [0, 2, 18, 31, 51, 52, 63, 64, 88, 168, 175, 254][rng.random_range(0..12)];
        }
        Ipv4Addr::new(a, b, c, d).into()
    } else {
        let offset = rng.random::<u128>() >> rng.random_range(0..128_u32);
        let start = STARTS[rng.random_range(0..STARTS.len())];
        Ipv6Addr::from_bits(if rng.random() {
            start.wrapping_add(offset)
        } else {
            start.wrapping_sub(offset)
        })
        .into()
    }
}

#[test]
fn random_addresses_are_judged_as_by_an_independent_table() {
    let (policy, mut rng) = (Policy::default(), StdRng::seed_from_u64(20_240_315));
    let mut public = 0;
    for _ in 0..1_000_000 {
        let ip = address(&mut rng);
        let allowed = policy.allows_address(SocketAddr::new(ip, 443));
        assert_eq!(allowed, is_public_by_hand(ip), "{ip}");
        public += u32::from(allowed);
    }
    assert!((100_000..900_000).contains(&public), "{public} public addresses say little");
}
