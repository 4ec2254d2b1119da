//! The receiver, asked by a plain client.

use std::time::Duration;

use http::Method;

use super::*;

async fn post(receiver: &Receiver, path: &str, body: &'static str) -> reqwest::Result<reqwest::Response> {
    reqwest::Client::new()
        .request(Method::POST, receiver.url(path))
        .header("x-a", "1")
        .body(body)
        .send()
        .await
}

#[tokio::test]
async fn records_exact_bytes_and_headers() {
    let receiver = Receiver::start().await.unwrap();
    assert_eq!(post(&receiver, "/a?b=1", " {\"x\":\n1} ").await.unwrap().status(), 200);
    let requests = receiver.wait_for("/a", 1).await.unwrap();
    assert_eq!(requests[0].body, " {\"x\":\n1} ");
    assert_eq!((requests[0].header("x-a"), requests[0].header("x-b")), ("1", ""));
    assert_eq!((requests[0].path.as_str(), &requests[0].method), ("/a?b=1", &Method::POST));
    assert!(receiver.requests("/b").is_empty());
}

#[tokio::test]
async fn answers_by_script_and_repeats_the_last() {
    let receiver = Receiver::start().await.unwrap();
    let busy = Answer::status(503).header("retry-after", "7").body("busy");
    receiver.script("/a", [busy, Answer::status(204).after(Duration::from_millis(1))]);
    let first = post(&receiver, "/a", "").await.unwrap();
    assert_eq!((first.status().as_u16(), &first.headers()["retry-after"]), (503, &"7".parse().unwrap()));
    assert_eq!(first.text().await.unwrap(), "busy");
    for _ in 0..3 {
        assert_eq!(post(&receiver, "/a", "").await.unwrap().status(), 204);
    }
    assert_eq!(post(&receiver, "/other", "").await.unwrap().status(), 200);
}

#[tokio::test]
async fn resets_and_hangs_are_recorded_too() {
    let receiver = Receiver::start().await.unwrap();
    receiver.script("/reset", [Answer::Reset]);
    receiver.script("/hang", [Answer::Hang]);
    let error = post(&receiver, "/reset", "x").await.unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    let hanging = tokio::spawn({
        let url = receiver.url("/hang");
        async move { reqwest::Client::new().post(url).body("y").send().await }
    });
    assert_eq!(receiver.wait_for("/hang", 1).await.unwrap()[0].body, "y");
    assert!(!hanging.is_finished());
    assert_eq!(receiver.wait_for("/reset", 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_wait_is_woken_by_the_request_that_fulfils_it() {
    let receiver = Receiver::start().await.unwrap();
    let waiting = receiver.wait_until("/a", "a second x", |requests| {
        requests.iter().filter(|request| request.body == "x").count() == 2
    });
    let sending = async {
        for body in ["x", "y", "x"] {
            post(&receiver, "/a", body).await.unwrap();
        }
    };
    let (requests, ()) = tokio::join!(waiting, sending);
    assert!(requests.unwrap().len() >= 3);
}
