//! A DNS server on loopback, whose every answer the test gives.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

/// Answers every question by the test's function. What it answers may be kept for no time at all.
pub(in crate::deliver::transport) struct Dns {
    pub(in crate::deliver::transport) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

/// What a server says to a question.
pub(in crate::deliver::transport) enum Reply {
    /// These addresses, as far as they are of the family that was asked for.
    Addresses(Vec<IpAddr>),
    /// Another name, and with it the addresses of that name.
    Alias(&'static str, Vec<IpAddr>),
    /// An error.
    Code(ResponseCode),
    /// Nothing at all.
    Silence,
}

impl Reply {
    pub(in crate::deliver::transport) fn addresses(texts: &[&str]) -> Self {
        Self::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    pub(in crate::deliver::transport) fn alias(name: &'static str, texts: &[&str]) -> Self {
        Self::Alias(name, texts.iter().map(|text| text.parse().unwrap()).collect())
    }
}

impl Dns {
    /// A server that replies so to a name (with its final dot) and family.
    pub(in crate::deliver::transport) async fn start(
        reply: impl FnMut(&str, RecordType) -> Reply + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::default());
        let serve = serve(socket, reply, Arc::clone(&asked));
        Self { address, asked, _task: AbortOnDropHandle::new(tokio::spawn(serve)) }
    }

    /// The names that were asked for, in order.
    pub(in crate::deliver::transport) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    socket: UdpSocket,
    mut reply: impl FnMut(&str, RecordType) -> Reply,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let mut packet = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
        let question = Message::from_vec(&packet[..length]).unwrap();
        let query = question.queries[0].clone();
        let name = query.name().to_string();
        asked.lock().unwrap().push(name.clone());
        if let Some(answer) = answer(question, &query, reply(&name, query.query_type())) {
            socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
        }
    }
}

fn answer(question: Message, query: &Query, reply: Reply) -> Option<Message> {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    assert_eq!(answer.metadata.message_type, MessageType::Response);
    answer.add_query(query.clone());
    let (name, addresses) = match reply {
        Reply::Addresses(addresses) => (query.name().clone(), addresses),
        Reply::Alias(name, addresses) => {
            let alias = name.parse().unwrap();
            answer.add_answer(Record::from_rdata(query.name().clone(), 0, RData::CNAME(CNAME(alias))));
            (name.parse().unwrap(), addresses)
        }
        Reply::Code(code) => {
            answer.metadata.response_code = code;
            (query.name().clone(), Vec::new())
        }
        Reply::Silence => return None,
    };
    let records =
        addresses.into_iter().map(RData::from).filter(|data| data.record_type() == query.query_type());
    answer.add_answers(records.map(|data| Record::from_rdata(name.clone(), 0, data)));
    Some(answer)
}
