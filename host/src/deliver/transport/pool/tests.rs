//! The pool over streams in memory, in virtual time.

use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;

const ORIGIN: &str = "https://example.com";

async fn idle(pool: &Pool) -> DuplexStream {
    let (ours, theirs) = duplex(1024);
    let wire = Wire { stream: Box::new(ours), http2: false };
    let connection = pool.open(ORIGIN, wire).await.unwrap();
    pool.put(ORIGIN, connection).await;
    theirs
}

/// Idle connections, counted in two ways.
fn count(pool: &Pool) -> (usize, usize) {
    pool.lock().counts()
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_before_its_receiver_would_close_it() {
    let pool = Pool::default();
    let mut theirs = idle(&pool).await;
    tokio::time::sleep(IDLE_TIMEOUT / 2).await;
    let connection = pool.take(ORIGIN).unwrap();
    pool.put(ORIGIN, connection).await;
    tokio::time::sleep(IDLE_TIMEOUT * 3 / 4).await;
    assert_eq!(count(&pool), (1, 1), "its use began a new idle time");
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(count(&pool), (0, 0));
    assert!(pool.take(ORIGIN).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_its_receiver_closes_leaves_the_pool() {
    let pool = Pool::default();
    drop(idle(&pool).await);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(count(&pool), (0, 0));
    assert!(pool.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_not_kept() {
    let pool = Pool::default();
    let _theirs = idle(&pool).await;
    let connection = pool.take(ORIGIN).unwrap();
    tokio::time::sleep(MAX_AGE).await;
    pool.put(ORIGIN, connection).await;
    assert_eq!(count(&pool), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_bounded() {
    let pool = Pool::default();
    let mut theirs = Vec::new();
    for _ in 0..MAX_IDLE + 5 {
        theirs.push(idle(&pool).await);
    }
    assert_eq!(count(&pool), (MAX_IDLE, MAX_IDLE));
}

/// A receiver that takes HTTP/2 connections over memory, answers as many requests, and then neither reads nor writes.
async fn http2(pool: &Pool, answers: usize) -> (Connection, tokio::task::JoinHandle<()>) {
    let (ours, theirs) = duplex(64 * 1024);
    let receiver = tokio::spawn(async move {
        let mut connection = h2::server::handshake(theirs).await.unwrap();
        for _ in 0..answers {
            let Some(Ok((_, mut respond))) = connection.accept().await else { return };
            respond.send_response(Response::new(()), true).unwrap();
        }
        // Only this writes the last answer.
        let _ = timeout(Duration::from_millis(1), connection.accept()).await;
        std::future::pending::<()>().await;
    });
    let connection = pool.open(ORIGIN, Wire { stream: Box::new(ours), http2: true }).await.unwrap();
    (connection, receiver)
}

fn request() -> Request<Full<Bytes>> {
    Request::post("https://example.com/").body(Full::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_without_a_word_is_noticed_by_a_ping() {
    let pool = Pool::default();
    let (mut connection, receiver) = http2(&pool, 1).await;
    assert!(connection.send(request()).await.is_ok());
    pool.put(ORIGIN, connection).await;
    let mut connection = pool.take(ORIGIN).unwrap();
    let begun = Instant::now();
    let error = connection.send(request()).await.unwrap_err().into_error();
    assert!(error.is_timeout(), "{error:?}");
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(7) && took < Duration::from_secs(9), "{took:?}");
    drop(connection);
    assert!(pool.take(ORIGIN).is_none() && pool.lock().is_empty());
    receiver.abort();
}

#[tokio::test(start_paused = true)]
async fn an_http_2_connection_is_closed_when_it_is_idle_and_not_while_it_is_used() {
    let pool = Pool::default();
    let (mut connection, receiver) = http2(&pool, 2).await;
    assert!(connection.send(request()).await.is_ok());
    tokio::time::sleep(IDLE_TIMEOUT * 2).await;
    assert_eq!(count(&pool), (0, 0), "it is used");
    pool.put(ORIGIN, connection).await;
    assert_eq!(count(&pool), (1, 1));
    tokio::time::sleep(IDLE_TIMEOUT / 2).await;
    let mut connection = pool.take(ORIGIN).unwrap();
    assert!(connection.send(request()).await.is_ok());
    pool.put(ORIGIN, connection).await;
    tokio::time::sleep(IDLE_TIMEOUT * 3 / 4).await;
    assert_eq!(count(&pool), (1, 1), "its use began a new idle time");
    tokio::time::sleep(IDLE_TIMEOUT).await;
    assert!(pool.lock().is_empty());
    receiver.abort();
}

#[tokio::test(start_paused = true)]
async fn an_old_http_2_connection_ends_what_it_has_and_takes_no_more() {
    let pool = Pool::default();
    let (connection, receiver) = http2(&pool, 0).await;
    let other = pool.take(ORIGIN).unwrap();
    tokio::time::sleep(MAX_AGE).await;
    assert!(pool.take(ORIGIN).is_none());
    pool.put(ORIGIN, connection).await;
    assert!(!pool.lock().is_empty(), "one request is still under way");
    pool.put(ORIGIN, other).await;
    assert!(pool.lock().is_empty());
    receiver.abort();
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_answer_is_not_complete_takes_no_more() {
    let pool = Pool::default();
    let (connection, receiver) = http2(&pool, 0).await;
    let other = pool.take(ORIGIN).unwrap();
    drop(connection);
    assert!(pool.take(ORIGIN).is_none());
    pool.put(ORIGIN, other).await;
    assert!(pool.lock().is_empty());
    receiver.abort();
}
