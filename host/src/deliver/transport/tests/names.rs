//! Names that lead somewhere else than they say: what DNS answers is checked at every connect.
//!
//! 127.0.0.2 stands for the public internet: the operator allows it. On 127.0.0.1 is what must never be reached.

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;

use super::dns::{Dns, Reply};
use super::*;
use crate::deliver::name_server::NameServer;

const OUTSIDE: &str = "127.0.0.2";
const INSIDE: &str = "127.0.0.1";
/// Every POST has to connect anew, so every POST resolves anew.
const CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const NAME: &str = "hooks.example.com";

/// The same port outside and inside, so that nothing but the address tells them apart.
struct Network {
    outside: Receiver,
    inside: Receiver,
    dns: Dns,
    transport: HttpTransport,
}

impl Network {
    async fn start(reply: impl FnMut(&str, RecordType) -> Reply + Send + 'static) -> Self {
        let inside = Receiver::answering(CLOSE).await;
        let outside = SocketAddr::new(OUTSIDE.parse().unwrap(), inside.address.port());
        let outside = Receiver::answering_at(outside, CLOSE).await;
        let dns = Dns::start(reply).await;
        let dns_servers: Vec<NameServer> = vec![dns.address.to_string().parse().unwrap()];
        let allow_networks = vec![format!("{OUTSIDE}/32").parse().unwrap()];
        let options = Options { allow_http: true, allow_networks, dns_servers, ..Options::default() };
        Self { outside, inside, dns, transport: HttpTransport::new(&options).unwrap() }
    }

    async fn send_to(&self, host: &str) -> AttemptOutcome {
        send(&self.transport, &post("http", host, self.inside.address.port())).await
    }

    async fn class_of(&self, host: &str) -> AttemptErrorClass {
        failed(self.send_to(host).await).class
    }
}

#[tokio::test]
async fn a_name_is_asked_for_as_it_stands_and_leads_to_its_address() {
    let network = Network::start(|_, _| Reply::addresses(&[OUTSIDE])).await;
    assert!(network.send_to(NAME).await.is_success());
    assert!(network.send_to("with_underscore.example.com").await.is_success());
    assert_eq!((network.outside.connections(), network.inside.connections()), (2, 0));
    let mut asked = network.dns.asked();
    asked.dedup();
    assert_eq!(asked, ["hooks.example.com.", "with_underscore.example.com."]);
}

#[tokio::test]
async fn a_name_whose_answers_change_never_leads_inside() {
    let mut turn = 0;
    let network = Network::start(move |_, family| {
        turn += usize::from(family == RecordType::A);
        Reply::addresses(if turn.is_multiple_of(2) { &[INSIDE] } else { &[OUTSIDE] })
    })
    .await;
    let (mut sent, mut refused) = (0, 0);
    for _ in 0..1_000 {
        match network.send_to(NAME).await {
            outcome if outcome.is_success() => sent += 1,
            outcome => {
                assert_eq!(failed(outcome).class, AttemptErrorClass::Forbidden);
                refused += 1;
            }
        }
    }
    assert!(
        sent > 100 && refused > 100,
        "{sent} were sent and {refused} refused, so the answers did not change"
    );
    assert_eq!((network.outside.connections(), network.inside.connections()), (sent, 0));
}

#[tokio::test]
async fn one_forbidden_address_among_the_answers_refuses_the_name() {
    for answers in [[OUTSIDE, INSIDE], [INSIDE, OUTSIDE], [OUTSIDE, "::1"], [OUTSIDE, "::ffff:127.0.0.1"]] {
        let network = Network::start(move |_, _| Reply::addresses(&answers)).await;
        assert_eq!(network.class_of(NAME).await, AttemptErrorClass::Forbidden, "{answers:?}");
        assert_eq!((network.outside.connections(), network.inside.connections()), (0, 0), "{answers:?}");
    }
}

#[tokio::test]
async fn an_alias_of_an_internal_name_is_refused_and_one_of_a_public_name_is_followed() {
    let network = Network::start(|name, _| match name {
        "told.example.com." => Reply::alias("metadata.google.internal.", &[INSIDE]),
        "asked.example.com." => Reply::alias("metadata.google.internal.", &[]),
        "metadata.google.internal." => Reply::addresses(&[INSIDE]),
        "public.example.com." => Reply::alias("cdn.example.net.", &[]),
        "cdn.example.net." => Reply::addresses(&[OUTSIDE]),
        _ => Reply::Code(ResponseCode::NXDomain),
    })
    .await;
    for name in ["told.example.com", "asked.example.com"] {
        assert_eq!(network.class_of(name).await, AttemptErrorClass::Forbidden, "{name}");
    }
    assert!(network.send_to("public.example.com").await.is_success());
    assert_eq!((network.outside.connections(), network.inside.connections()), (1, 0));
}

#[tokio::test]
async fn public_names_of_loopback_are_refused() {
    let network = Network::start(|_, _| Reply::addresses(&[INSIDE])).await;
    for name in ["127.0.0.1.nip.io", "localtest.me", "0x7f.1.example.com", "xn--strae-oqa.example"] {
        assert_eq!(network.class_of(name).await, AttemptErrorClass::Forbidden, "{name}");
    }
    assert_eq!(network.inside.connections(), 0);
}

#[tokio::test]
async fn a_public_name_that_redirects_inside_is_a_failure_and_is_not_followed() {
    let inside = Receiver::answering(CLOSE).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
            inside.address
        );
        let network = Network::start(|_, _| Reply::addresses(&[OUTSIDE])).await;
        let outside = Receiver::answering_at(format!("{OUTSIDE}:0").parse().unwrap(), answer).await;
        let outcome = send(&network.transport, &post("http", NAME, outside.address.port())).await;
        assert_eq!((outcome.status(), outcome.is_success()), (Some(status), false));
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_an_error_of_dns_in_words() {
    let network = Network::start(|name, _| match name {
        "none.example.com." => Reply::Code(ResponseCode::NXDomain),
        "empty.example.com." => Reply::addresses(&[]),
        _ => Reply::Code(ResponseCode::ServFail),
    })
    .await;
    for (name, words) in [
        ("none.example.com", "there is no such name"),
        ("empty.example.com", "has no address"),
        ("broken.example.com", "the name servers gave no answer"),
    ] {
        let error = failed(network.send_to(name).await);
        assert_eq!(error.class, AttemptErrorClass::Dns);
        assert!(error.message.contains(words), "{name}: {}", error.message);
        let server = network.dns.address.to_string();
        assert!(!error.message.contains(&server), "who is asked is not the tenant's business");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_costs_five_seconds_at_most() {
    let network = Network::start(|_, _| Reply::Silence).await;
    let sent = network.transport.send(&post("http", NAME, 8080)).await;
    assert_eq!(failed(sent.outcome).class, AttemptErrorClass::Dns);
    assert!(sent.took <= Duration::from_secs(5), "{:?}", sent.took);
}

#[tokio::test]
async fn localhost_needs_no_server() {
    let network = Network::start(|_, _| Reply::addresses(&[OUTSIDE])).await;
    assert_eq!(network.class_of("localhost").await, AttemptErrorClass::Forbidden);
    assert_eq!(network.dns.asked(), Vec::<String>::new());
}
