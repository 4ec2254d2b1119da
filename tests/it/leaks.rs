//! Twenty secrets on their way through everything a gateway does, and then a search for them.
//!
//! Keys and signing secrets must be nowhere: in no file and in no answer but the one that made them. Header values and
//! the queries of URLs are shown to who may change the endpoint, and are looked for everywhere else.

use std::fs;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::{Answer, Client};
use hookway_tests::gateway::Setup;
use hookway_tests::receiver;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::secrets_at_rest::{files, forms};

const SIGNING: [&str; 5] = [
    "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1uby1vbmU=",
    "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1uby10d28=",
    "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC10aHJlZSE=",
    "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1uby40LjQ=",
    "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1uby41LjU=",
];
const HEADERS: [(&str, &str); 5] = [
    ("authorization", "Bearer planted-in-authorization"),
    ("x-api-key", "planted-in-x-api-key"),
    ("cookie", "session=planted-in-cookie"),
    ("x-signature", "planted-in-x-signature"),
    ("x-plain", "planted-in-x-plain"),
];
const QUERIES: [&str; 5] = [
    "token=planted-in-query-1",
    "key=planted-in-query-2",
    "sig=planted-in-query-3",
    "auth=planted-in-query-4",
    "planted-in-query-5",
];
/// Everything that can be read, besides what has an id.
const LISTS: [&str; 9] = [
    "/v1/endpoints",
    "/v1/deliveries",
    "/v1/keys",
    "/v1/tenants",
    "/v1/audit",
    "/v1/audit/verify",
    "/v1/plugins",
    "/healthz",
    "/readyz",
];

/// A client that keeps every answer but those that show a secret for the only time.
struct Watched {
    client: Client,
    answers: Vec<(String, String)>,
}

impl Watched {
    async fn call(&mut self, method: Method, path: &str, body: &Value) -> Result<Answer> {
        let json = [("content-type", "application/json")];
        let answer = self.client.call(method.clone(), path, &json, Some(body.to_string().into())).await?;
        let shown_once = method == Method::POST && answer.status == StatusCode::CREATED;
        if !shown_once {
            let headers = format!("{:?}", answer.headers);
            self.answers.push((format!("{method} {path}"), format!("{headers} {}", answer.body)));
        }
        Ok(answer)
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.call(Method::POST, path, body).await
    }

    /// A list, and each thing in it.
    async fn read(&mut self, list: &str) -> Result<()> {
        let rows = self.call(Method::GET, list, &Value::Null).await?.expect(StatusCode::OK)?.body;
        for id in rows["data"].as_array().into_iter().flatten().filter_map(|row| row["id"].as_str()) {
            self.call(Method::GET, &format!("{list}/{id}"), &Value::Null).await?.expect(StatusCode::OK)?;
        }
        Ok(())
    }
}

/// Five endpoints: one works, one fails, one is refused by the guard, one has a receiver without TLS, one is moved.
async fn endpoints(scene: &Scene, watched: &mut Watched) -> Result<Vec<String>> {
    let urls = [
        scene.receiver.url("/ok"),
        scene.receiver.url("/failing"),
        "http://127.0.0.1.example.invalid:9000/refused".to_owned(),
        scene.receiver.url("/tls").replacen("http:", "https:", 1),
        scene.receiver.url("/moved"),
    ];
    let mut ids = Vec::new();
    for (n, url) in urls.iter().enumerate() {
        let (name, value) = HEADERS[n];
        let new = json!({
            "url": format!("{url}?{}", QUERIES[n]), "topics": ["**"], "secret": SIGNING[n],
            "headers": { name: value },
        });
        let made = watched.post("/v1/endpoints", &new).await?.expect(StatusCode::CREATED)?.body;
        ids.push(made["id"].as_str().context("an endpoint has an id")?.to_owned());
        watched.post("/v1/endpoints", &new).await?.expect_problem(409, "endpoint")?;
    }
    Ok(ids)
}

/// Requests that are refused: their answers must not repeat what was wrong.
async fn mistakes(scene: &Scene, watched: &mut Watched, id: &str) -> Result<()> {
    let path = format!("/v1/endpoints/{id}");
    for body in [
        json!({ "url": format!("ftp://example.com/?{}", QUERIES[0]) }),
        json!({ "url": format!("http://[::1]/?{}", QUERIES[1]) }),
        json!({ "url": format!("{}?{} ", scene.receiver.url("/a"), QUERIES[2]) }),
        json!({ "headers": { "host": HEADERS[0].1 } }),
        json!({ "headers": { "x-a": format!("{}\r\n", HEADERS[1].1) } }),
    ] {
        let answer = watched.call(Method::PATCH, &path, &body).await?;
        ensure!(answer.status.is_client_error(), "{body}: {}", answer.status);
    }
    let secrets = format!("{path}/secrets");
    for value in [SIGNING[0], &SIGNING[1][..12], "whsec_"] {
        let answer = watched.post(&secrets, &json!({ "value": value })).await?;
        ensure!(answer.status.is_client_error(), "{value}: {}", answer.status);
    }
    Ok(())
}

/// Everything that has to do with secrets, once; returns the keys that were made.
async fn live(scene: &Scene, watched: &mut Watched) -> Result<Vec<String>> {
    let mut keys = vec![scene.gateway.key().to_owned()];
    for scope in ["admin", "tenant:default", "events:write", "events:write:default"] {
        let made =
            watched.post("/v1/keys", &json!({ "scope": scope })).await?.expect(StatusCode::CREATED)?.body;
        keys.push(made["key"].as_str().context("a key is shown once")?.to_owned());
    }
    scene.receiver.script("/failing", [receiver::Answer::status(500)]);
    let ids = endpoints(scene, watched).await?;
    mistakes(scene, watched, &ids[0]).await?;
    for key in &keys[3..] {
        scene.client.with_key(Some(key)).send("a", &json!(1)).await?;
    }
    scene.receiver.wait_for("/ok", 2).await?;
    scene.receiver.wait_for("/failing", 3).await?;
    let rotated = format!("/v1/endpoints/{}/secrets", ids[0]);
    watched.post(&rotated, &json!({})).await?.expect(StatusCode::CREATED)?;
    let first = watched.call(Method::GET, &rotated, &Value::Null).await?.body["data"][1]["id"].clone();
    let first = first.as_str().context("a secret has an id")?;
    watched.post(&format!("{rotated}/{first}/expire"), &json!({})).await?.expect(StatusCode::OK)?;
    let moved = json!({ "url": format!("{}?{}", scene.receiver.url("/new"), QUERIES[4]), "headers": {} });
    let moved_path = format!("/v1/endpoints/{}", ids[4]);
    watched.call(Method::PATCH, &moved_path, &moved).await?.expect(StatusCode::OK)?;
    watched.call(Method::DELETE, &format!("/v1/endpoints/{}", ids[3]), &json!({})).await?;
    let revoked = watched.client.get("/v1/keys").await?.body["data"][1]["id"].clone();
    let revoked = format!("/v1/keys/{}", revoked.as_str().context("a key has an id")?);
    watched.call(Method::DELETE, &revoked, &json!({})).await?.expect(StatusCode::NO_CONTENT)?;
    scene.client.send("a", &json!(2)).await?;
    scene.receiver.wait_for("/new", 1).await?;
    for list in LISTS {
        watched.read(list).await?;
    }
    Ok(keys)
}

/// Where these bytes are in the files of the gateway and in its answers.
fn hits(scene: &Scene, watched: &Watched, form: &[u8], is_owners: bool) -> Result<Vec<String>> {
    let contains = |bytes: &[u8]| bytes.windows(form.len()).any(|window| window == form);
    let mut hits = Vec::new();
    for path in files(scene.gateway.home())? {
        // The owner's configuration of an endpoint is in the store as it is.
        let is_store = path.extension().is_some_and(|extension| extension == "redb");
        if !(is_owners && is_store) && contains(&fs::read(&path)?) {
            hits.push(path.display().to_string());
        }
    }
    for (request, answer) in &watched.answers {
        let shows_endpoint = request.contains(" /v1/endpoints");
        if !(is_owners && shows_endpoint && !answer.contains("problem+json")) && contains(answer.as_bytes()) {
            hits.push(request.clone());
        }
    }
    Ok(hits)
}

#[tokio::test]
async fn twenty_planted_secrets_are_found_nowhere() -> Result<()> {
    let mut scene = Scene::with(Setup::default().set("log.level=trace")).await?;
    let mut watched = Watched { client: scene.client.clone(), answers: Vec::new() };
    let keys = live(&scene, &mut watched).await?;
    scene.gateway.stop().await?;
    let mut found = Vec::new();
    for secret in SIGNING {
        for form in forms(secret)? {
            found.extend(hits(&scene, &watched, &form, false)?);
        }
    }
    for key in &keys {
        let secret = key.splitn(3, '_').nth(2).context("hk_ID_SECRET")?;
        found.extend(hits(&scene, &watched, secret.as_bytes(), false)?);
    }
    let values = HEADERS.iter().map(|(_, value)| *value).chain(QUERIES);
    for value in values {
        found.extend(hits(&scene, &watched, value.as_bytes(), true)?);
    }
    ensure!(found.is_empty(), "{found:#?}");
    let control = hits(&scene, &watched, b"endpoint.created", false)?;
    ensure!(control.len() >= 2, "what is there is found, in the store and in an answer: {control:?}");
    Ok(())
}
