//! Keys, tenants and the audit log, as an administrator and a tenant use them. What has to hold for every route is
//! tested in the gateway, where the table of routes is.

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::patience::within;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::scene::Scene;

/// Each kill hits another moment.
const KILLS: usize = 5;
/// How many changes are answered before each kill.
const BEFORE_KILL: usize = 60;

struct Key {
    id: String,
    client: Client,
    text: String,
}

async fn key(client: &Client, scope: &str) -> Result<Key> {
    let made = client.post("/v1/keys", &json!({ "scope": scope, "description": "a test" })).await?;
    let body = made.expect(StatusCode::CREATED)?.body;
    let text = |name: &str| body[name].as_str().map(str::to_owned).context("a new key has an id and a text");
    Ok(Key { id: text("id")?, client: client.with_key(Some(&text("key")?)), text: text("key")? })
}

async fn audit(client: &Client, filter: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/audit?limit=250&{filter}{cursor}");
        let page = client.get(&path).await?.expect(StatusCode::OK)?.body;
        all.extend(page["data"].as_array().context("a list has `data`")?.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}

#[tokio::test]
async fn a_key_is_shown_once_works_and_is_revoked_at_once() -> Result<()> {
    let scene = Scene::start().await?;
    let made = key(&scene.client, "events:write").await?;
    made.client.send("a/b", &json!(1)).await?;
    let secret = made.text.rsplit_once('_').context("hk_ID_SECRET")?.1.to_owned();
    let path = format!("/v1/keys/{}", made.id);
    let one = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
    let all = scene.client.get("/v1/keys").await?.expect(StatusCode::OK)?.body;
    for shown in [&one, &all] {
        let text = shown.to_string();
        ensure!(!text.contains(&secret) && !text.contains("hash") && !text.contains("hk_"), "{text}");
    }
    ensure!(one["scope"] == "events:write" && one["last_used_at"].is_string(), "{one}");

    scene.client.delete(&path).await?.expect(StatusCode::NO_CONTENT)?;
    made.client
        .post("/v1/events", &json!({ "event": "a/b", "data": 1 }))
        .await?
        .expect_problem(401, "key")?;
    scene.client.get(&path).await?.expect_problem(404, "key")?;
    scene.client.delete(&path).await?.expect_problem(404, "key")?;
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_and_a_wrong_secret_get_one_answer_to_the_last_header() -> Result<()> {
    let scene = Scene::start().await?;
    let known = key(&scene.client, "admin").await?.text;
    // The secret may have a `_` of its own.
    let mut parts = known.splitn(3, '_').skip(1);
    let (id, secret) = parts.next().zip(parts.next()).context("hk_ID_SECRET")?;
    let other = |text: &str| text.chars().map(|c| if c == '0' { '1' } else { '0' }).collect::<String>();
    let unknown = format!("hk_{}_{secret}", other(id));
    let wrong = format!("hk_{id}_{}", "A".repeat(secret.len()));
    let mut answers = Vec::new();
    for text in [unknown.as_str(), &wrong, "hk_", "x", known.trim_end_matches(|c| c != '_')] {
        let answer = scene.client.with_key(Some(text)).get("/v1/keys").await?;
        let mut headers = answer.headers.clone();
        headers.remove("date");
        answers.push((answer.expect_problem(401, "key")?.body, headers));
    }
    ensure!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    Ok(())
}

#[tokio::test]
async fn the_last_admin_key_cannot_be_revoked() -> Result<()> {
    let scene = Scene::start().await?;
    let all = scene.client.get("/v1/keys").await?.expect(StatusCode::OK)?.body;
    let first = all["data"][0]["id"].as_str().context("the first key has an id")?.to_owned();
    scene.client.delete(&format!("/v1/keys/{first}")).await?.expect_problem(409, "another admin key")?;
    let second = key(&scene.client, "admin").await?;
    scene.client.delete(&format!("/v1/keys/{first}")).await?.expect(StatusCode::NO_CONTENT)?;
    scene.client.get("/v1/keys").await?.expect_problem(401, "key")?;
    second.client.get("/v1/keys").await?.expect(StatusCode::OK)?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_made_is_refused_by_field() -> Result<()> {
    let scene = Scene::start().await?;
    for (body, word) in [
        (json!({}), "scope"),
        (json!({ "scope": "root" }), "tenant:NAME"),
        (json!({ "scope": "admin", "expires_at": "2001-01-01T00:00:00Z" }), "past"),
        (json!({ "scope": "admin", "id": "key_1" }), "id"),
    ] {
        scene.client.post("/v1/keys", &body).await?.expect_refusal(word)?;
    }
    let all = scene.client.get("/v1/keys").await?.expect(StatusCode::OK)?.body;
    ensure!(all["data"].as_array().is_some_and(|keys| keys.len() == 1), "{all}");
    Ok(())
}

#[tokio::test]
async fn the_last_use_of_a_key_survives_a_stop_and_a_revoked_key_stays_revoked() -> Result<()> {
    let mut scene = Scene::start().await?;
    let (used, revoked) = (key(&scene.client, "events:write").await?, key(&scene.client, "admin").await?);
    used.client.send("a/b", &json!(1)).await?;
    revoked.client.get("/v1/keys").await?.expect(StatusCode::OK)?;
    scene.client.delete(&format!("/v1/keys/{}", revoked.id)).await?.expect(StatusCode::NO_CONTENT)?;
    let path = format!("/v1/keys/{}", used.id);
    let before = scene.client.get(&path).await?.expect(StatusCode::OK)?.body;
    ensure!(before["last_used_at"].is_string(), "{before}");
    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    ensure!(scene.client.get(&path).await?.expect(StatusCode::OK)?.body == before);
    revoked.client.get("/v1/keys").await?.expect_problem(401, "key")?;
    Ok(())
}

#[tokio::test]
async fn tenants_are_counted_and_see_their_own_rows_of_the_audit_log() -> Result<()> {
    let scene = Scene::start().await?;
    let acme = key(&scene.client, "tenant:acme").await?;
    scene.endpoint("/default", json!({})).await?;
    let by_admin = scene.endpoint("/acme", json!({ "tenant": "acme" })).await?;
    let by_acme = acme.client.create_endpoint(&scene.described("/acme/2", json!({}))).await?;
    let tenants = scene.client.get("/v1/tenants").await?.expect(StatusCode::OK)?.body;
    let expected = json!([
        {
            "name": "acme", "description": "", "endpoints": 2, "keys": 1, "backlog_deliveries": 0, "backlog_bytes": 0,
            "plugins": [], "updated_at": null,
        },
        {
            "name": "default", "description": "", "endpoints": 1, "keys": 0, "backlog_deliveries": 0, "backlog_bytes": 0,
            "plugins": [], "updated_at": null,
        },
    ]);
    ensure!(tenants["data"] == expected, "{tenants}");
    let first = scene.client.get("/v1/tenants?limit=1").await?.expect(StatusCode::OK)?.body;
    ensure!(first["next_cursor"] == "acme", "{first}");

    let rows = audit(&acme.client, "").await?;
    let targets: Vec<_> = rows.iter().map(|row| row["target"].as_str().unwrap_or_default()).collect();
    ensure!(targets == [by_acme.id.as_str(), by_admin.id.as_str(), acme.id.as_str()], "{rows:?}");
    ensure!(rows[0]["actor"]["key"] == acme.id.as_str() && rows[0]["actor"]["address"] == "127.0.0.1");
    let admin = &rows[1]["actor"];
    ensure!(admin["scope"] == "admin" && admin["key"].is_null() && admin["address"].is_null(), "{admin}");
    Ok(())
}

#[tokio::test]
async fn a_change_is_written_down_with_who_what_and_without_secrets() -> Result<()> {
    let scene = Scene::start().await?;
    let url = format!("{}?token=s3cret", scene.receiver.url("/a"));
    let given = json!({ "url": url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
    let endpoint = scene.endpoint("/a", given).await?;
    let path = format!("/v1/endpoints/{}", endpoint.id);
    scene.client.patch(&path, &json!({ "description": "new" })).await?.expect(StatusCode::OK)?;
    scene.client.patch(&path, &json!({ "description": 1 })).await?.expect_refusal("description")?;
    scene.client.delete(&path).await?.expect(StatusCode::NO_CONTENT)?;
    let rows = audit(&scene.client, "").await?;
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap_or_default()).collect();
    ensure!(
        actions == ["endpoint.deleted", "endpoint.updated", "endpoint.created", "key.created"],
        "{rows:?}"
    );
    ensure!(rows[1]["changes"] == json!({ "description": { "old": "", "new": "new" } }), "{}", rows[1]);
    ensure!(rows[3]["actor"]["kind"] == "gateway", "{}", rows[3]);
    let all = json!(rows).to_string();
    ensure!(!all.contains("s3cret") && !all.contains("MfKQ") && all.contains("[redacted]"), "{all}");
    let filtered = audit(&scene.client, "action=endpoint.updated&tenant=default").await?;
    ensure!(filtered == rows[1..2], "{filtered:?}");
    let since = rows[1]["at"].as_str().context("a row has a time")?.to_owned();
    ensure!(audit(&scene.client, &format!("since={since}")).await?.len() >= 2);
    Ok(())
}

/// Changes one endpoint again and again; its description counts the changes. Ends when the gateway does.
async fn change(client: Client, id: String, from: usize, done: watch::Sender<usize>) {
    for n in from + 1.. {
        let body = json!({ "description": n.to_string() });
        let answer = client.patch(&format!("/v1/endpoints/{id}"), &body).await;
        if !answer.is_ok_and(|answer| answer.status == StatusCode::OK) {
            return;
        }
        done.send_modify(|done| *done += 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_has_its_row_and_the_chain_is_whole_after_kill_9() -> Result<()> {
    let mut scene = Scene::start().await?;
    let mut endpoints = Vec::new();
    for n in 0..4 {
        endpoints.push((scene.endpoint(&format!("/{n}"), json!({})).await?.id, 0));
    }
    for round in 1..=KILLS {
        let (done, mut seen) = watch::channel(0);
        let mut changing = JoinSet::new();
        for (id, from) in endpoints.clone() {
            changing.spawn(change(scene.client.clone(), id, from, done.clone()));
        }
        within("changes", seen.wait_for(|&changes| changes >= BEFORE_KILL)).await?.context("changes")?;
        scene.gateway.kill().await?;
        within("everybody noticed", changing.join_all()).await?;
        scene.gateway.restart().await?;
        let answered = *seen.borrow();

        let chain = scene.client.get("/v1/audit/verify").await?.expect(StatusCode::OK)?.body;
        ensure!(chain["intact"] == true, "round {round}: {chain}");
        let rows = audit(&scene.client, "action=endpoint.updated").await?;
        let mut changes = 0;
        for (id, count) in &mut endpoints {
            let body = scene.client.get(&format!("/v1/endpoints/{id}")).await?.expect(StatusCode::OK)?.body;
            let now: usize = body["description"].as_str().context("a description")?.parse()?;
            let of_it: Vec<_> = rows.iter().filter(|row| row["target"] == id.as_str()).collect();
            ensure!(of_it.len() == now, "round {round}: {} rows for {now} changes of {id}", of_it.len());
            ensure!(of_it[0]["changes"]["description"]["new"] == body["description"], "{}", of_it[0]);
            changes += now - *count;
            *count = now;
        }
        ensure!(changes >= answered, "round {round}: {answered} changes were answered, {changes} are there");
    }
    Ok(())
}
