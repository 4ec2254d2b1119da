//! A refused target is not contacted at all, so nothing about what is behind it can be told apart.

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::dns::{Dns, Reply};
use super::*;
use crate::deliver::guard::AllowedNetwork;
use crate::deliver::suite::{URLS, Verdict};

fn strict(networks: &[&str]) -> HttpTransport {
    let allow_networks = networks.iter().map(|text| text.parse::<AllowedNetwork>().unwrap()).collect();
    HttpTransport::new(&Options { allow_networks, ..options() }).unwrap()
}

/// Virtual time moves only when everybody waits: an attempt that took none waited for nobody.
#[tokio::test(start_paused = true)]
async fn open_closed_and_filtered_ports_get_one_sentence_in_no_time() {
    let open = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // Once one connection waits to be accepted, Linux drops the packets of the next.
    let filtered = socket.listen(0).unwrap();
    let _waiting = TcpStream::connect(filtered.local_addr().unwrap()).await.unwrap();
    for transport in [strict(&[]), strict(&["127.0.0.0/8:1"]), strict(&["127.0.0.2/32"])] {
        let mut sentences = Vec::new();
        for address in [open.address, closed, filtered.local_addr().unwrap()] {
            let sent = transport.send(&to(address)).await;
            assert_eq!(sent.took, Duration::ZERO, "{address}");
            sentences.push(failed(sent.outcome));
        }
        assert_eq!(sentences[0].class, AttemptErrorClass::Forbidden);
        assert!(sentences.iter().all(|sentence| *sentence == sentences[0]), "{sentences:?}");
    }
    assert_eq!(open.connections(), 0);
}

/// As if each had been stored by a version that let it through. Names lead to loopback.
#[tokio::test]
async fn every_url_of_the_suite_is_refused_at_the_attempt() {
    let dns = Dns::start(|_, _| Reply::addresses(&["127.0.0.1"])).await;
    let dns_servers = vec![dns.address.to_string().parse().unwrap()];
    let options = Options { allow_http: true, dns_servers, ..Options::default() };
    let transport = HttpTransport::new(&options).unwrap();
    let mut tried = 0;
    for (raw, verdict) in URLS {
        let Ok(url) = raw.parse::<Url>() else { continue };
        let is_public = verdict == Verdict::Fine && url.domain().is_none();
        if is_public || !url.has_host() {
            continue;
        }
        let error = failed(send(&transport, &post_to(url)).await);
        assert_eq!(error.class, AttemptErrorClass::Forbidden, "{raw:?}: {}", error.message);
        assert!(error.message.starts_with("nothing was sent"), "{raw:?}: {}", error.message);
        tried += 1;
    }
    assert!(tried > 80, "only {tried} URLs have a form that could be stored");
}
