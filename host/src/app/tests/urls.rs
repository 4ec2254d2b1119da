//! The suite of URLs at every place that takes one.

use super::*;
use crate::deliver::suite::{URLS, Verdict};

async fn expect(gateway: &Gateway, method: Method, path: &str, body: &Value, verdict: Verdict) {
    let (status, answer) = gateway.call(method.clone(), path, &gateway.admin, body).await;
    if verdict == Verdict::Fine {
        assert!(status.is_success(), "{method} {body}: {status} {answer}");
    } else {
        let refusal = (status, &answer["pointer"]);
        assert_eq!(refusal, (StatusCode::UNPROCESSABLE_ENTITY, &json!("/url")), "{method} {body}: {answer}");
    }
}

#[tokio::test]
async fn every_url_of_the_suite_gets_its_verdict_at_creation_and_at_a_change() {
    let gateway = gateway_allowing(Vec::new()).await;
    let own = json!({ "tenant": "changes", "url": "https://example.com/hook", "topics": ["**"] });
    let own = text(&gateway.post("/v1/endpoints", &gateway.admin, own).await["id"]);
    let path = format!("/v1/endpoints/{own}");
    for (url, verdict) in URLS {
        let new = json!({ "tenant": "creations", "url": url, "topics": ["**"] });
        expect(&gateway, Method::POST, "/v1/endpoints", &new, verdict).await;
        let before = gateway.everything().await;
        expect(&gateway, Method::PATCH, &path, &json!({ "url": url }), verdict).await;
        assert_eq!(gateway.everything().await == before, verdict != Verdict::Fine, "{url}");
    }
    let fine = URLS.iter().filter(|(_, verdict)| *verdict == Verdict::Fine).count();
    let endpoints = gateway.store.endpoints().await.unwrap();
    assert_eq!(endpoints.len(), fine + 1);
    gateway.stop().await;
}
