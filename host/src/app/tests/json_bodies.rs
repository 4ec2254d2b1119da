//! What every route that reads a body refuses, found by walking all routes.

use super::*;

const DEEP: usize = 65;
const VERY_DEEP: usize = 100_000;

impl Gateway {
    async fn send_text(&self, method: &Method, path: &str, kind: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, kind)
            .header(AUTHORIZATION, format!("Bearer {}", self.admin))
            .body(Body::from(body.to_owned()))
            .unwrap();
        let (head, body) = self.router.clone().call(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap();
        (head.status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[tokio::test]
async fn json_that_nests_too_deep_is_refused_on_every_route_that_reads_json() {
    let gateway = gateway().await;
    let own = gateway.belongings("mine").await;
    let mut tried = 0;
    for (method, route) in all_routes() {
        let path = own.path(route).unwrap_or_else(|| route.replace("{*topic}", "a/b"));
        for kind in ["application/json", "application/x-ndjson"] {
            let (status, answer) = match method {
                // Neither reads a body, and the second would take its object away.
                Method::GET | Method::DELETE => continue,
                _ => gateway.send_text(&method, &path, kind, "{\"a").await,
            };
            if status != StatusCode::BAD_REQUEST || answer["code"] != "malformed" {
                continue;
            }
            tried += 1;
            let before = gateway.everything().await;
            // At the top, and where a value is taken as it stands.
            for depth in [DEEP, VERY_DEEP] {
                for body in [
                    nested(depth),
                    format!(r#"{{"event":"a","data":{}}}"#, nested(depth - 1)),
                    format!(r#"{{"topic":"a","schema":{}}}"#, nested(depth - 1)),
                    format!(r#"{{"plugins":[{{"plugin":"a","config":{}}}]}}"#, nested(depth - 3)),
                ] {
                    let (status, answer) = gateway.send_text(&method, &path, kind, &body).await;
                    let what = format!("{method} {path} {kind} {depth}: {answer}");
                    assert_eq!(
                        (status, &answer["code"]),
                        (StatusCode::BAD_REQUEST, &json!("too_deep")),
                        "{what}"
                    );
                }
            }
            assert_eq!(gateway.everything().await, before);
        }
    }
    assert!(tried >= 9, "only {tried} routes read JSON");
    let toml = format!("topics = {}", nested(VERY_DEEP));
    let (status, answer) = gateway.send_text(&Method::PUT, "/v1/topics", "application/toml", &toml).await;
    assert!(status.is_client_error(), "{status} {answer}");
    gateway.stop().await;
}
