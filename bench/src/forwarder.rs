//! The bare forwarder: hyper in, hyper out. It stores, matches, signs and logs nothing, so no gateway can be faster.
//!
//! It answers when the receiver has: nothing else keeps an event that it took.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

use crate::serve::{Answer, empty, serve};

/// What it says on standard output before its address.
pub(crate) const LISTENING: &str = "listening on ";

struct Forwarder {
    client: Client<HttpConnector, Full<Bytes>>,
    to: SocketAddr,
}

impl Answer for Forwarder {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.forward(request).await.map_or_else(|_| empty(StatusCode::BAD_GATEWAY), empty)
    }
}

impl Forwarder {
    async fn forward(&self, request: Request<Incoming>) -> Result<StatusCode> {
        let to = format!("http://{}{}", self.to, request.uri().path());
        let body = request.into_body().collect().await?.to_bytes();
        let request = Request::post(to).header("content-type", "application/json").body(Full::new(body))?;
        let response = self.client.request(request).await?;
        let accepted = response.status().is_success();
        response.into_body().collect().await?;
        Ok(if accepted { StatusCode::ACCEPTED } else { StatusCode::BAD_GATEWAY })
    }
}

/// Listens on a free port, says which, and forwards until it is killed.
pub(crate) async fn run(to: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{LISTENING}{}", listener.local_addr()?);
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    serve(listener, Arc::new(Forwarder { client, to })).await
}
