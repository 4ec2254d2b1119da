//! Every noun of the API from the command line.

use anyhow::{Context, Result};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::Gateway;
use hookway_tests::receiver::{Answer, Receiver};
use http::Method;
use serde_json::{Value, json};

use crate::scene::Scene;

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("not a text: {value}"))
}

#[tokio::test]
async fn an_endpoint_lives_from_create_to_delete() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let url = scene.receiver.url("/a");
    for half in [&["endpoint", "create"][..], &["endpoint", "create", &url]] {
        hookway.run(half).await?.ends(2, "hookway endpoint create URL --topic")?;
    }
    let create =
        ["endpoint", "create", &url, "--topic", "orders/*", "--tenant", "acme", "--set", r#"retry=["1h"]"#];
    let endpoint = hookway.json(&create).await?;
    let id = text(&endpoint["id"])?;
    assert!(text(&endpoint["secrets"][0]["value"])?.starts_with("whsec_"));
    assert_eq!((&endpoint["tenant"], &endpoint["retry"]), (&json!("acme"), &json!(["1h"])));

    hookway.ok(&["endpoint", "list", "--tenant", "acme"]).await?.says(id)?;
    hookway.ok(&["endpoint", "get", id]).await?.says("topics           orders/*\n")?;
    assert_eq!(
        hookway.json(&["endpoint", "get", id]).await?,
        scene.client.get(&format!("/v1/endpoints/{id}")).await?.body
    );
    let update =
        ["endpoint", "update", id, "--from", "-", "--description", "orders", "--topic", "a", "--topic", "b"];
    hookway.run_with(&update, r#"{"rate_limit": 7, "topics": ["x"]}"#).await?.expect(0)?.says("a, b")?;
    let updated = hookway.json(&["endpoint", "get", id]).await?;
    assert_eq!((&updated["rate_limit"], &updated["description"]), (&json!(7), &json!("orders")));

    hookway.ok(&["endpoint", "deactivate", id]).await?.says("is inactive")?;
    assert_eq!(hookway.json(&["endpoint", "activate", id]).await?["state"], "active");
    hookway.ok(&["endpoint", "delete", id]).await?.says("deleted")?;
    hookway.run(&["endpoint", "delete", id]).await?.expect(3)?;
    Ok(())
}

#[tokio::test]
async fn secrets_are_added_ended_and_removed() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let endpoint = scene.endpoint("/a", json!({})).await?.id;
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let add =
        ["secret", "add", &endpoint, "--value-from", "-", "--expires-at", "2990-01-31T12:00:00Z", "--json"];
    let added: Value = serde_json::from_str(&hookway.run_with(&add, own).await?.expect(0)?.out)?;
    let id = text(&added["id"])?;
    assert_eq!(added["value"], own);
    hookway.ok(&["secret", "list", &endpoint]).await?.says("2990-01-31")?;
    hookway.run(&["secret", "delete", &endpoint, id]).await?.ends(5, "still signs")?;
    assert_eq!(
        hookway.json(&["secret", "expire", &endpoint, id, "--never"]).await?["expires_at"],
        Value::Null
    );
    assert!(hookway.json(&["secret", "expire", &endpoint, id]).await?["expires_at"].is_string());
    hookway.ok(&["secret", "delete", &endpoint, id]).await?;
    assert_eq!(hookway.rows(&["secret", "list", &endpoint]).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn keys_tenants_plugins_and_the_audit_log_are_shown() -> Result<()> {
    let gateway = Gateway::start().await?;
    let hookway = Hookway::of(&gateway);
    let key =
        hookway.json(&["key", "create", "--scope", "events:write:acme", "--description", "shop"]).await?;
    let (id, secret) = (text(&key["id"])?, text(&key["key"])?);
    hookway.ok(&["key", "list"]).await?.says("events:write:acme")?;
    hookway.ok(&["key", "get", id]).await?.says("shop")?;
    hookway.clone().set("HOOKWAY_KEY", secret).run(&["key", "list"]).await?.ends(4, "key")?;
    assert_eq!(
        hookway.rows(&["tenant", "list"]).await?[0],
        json!({
            "name": "acme", "description": "", "endpoints": 0, "keys": 1, "backlog_deliveries": 0, "backlog_bytes": 0,
            "plugins": [], "updated_at": null,
        })
    );
    hookway.ok(&["key", "delete", id]).await?.says("revoked")?;

    let changes = hookway.ok(&["audit", "list", "--action", "key.deleted"]).await?.says(id)?;
    assert_eq!(changes.out.lines().count(), 2);
    hookway.ok(&["audit", "verify"]).await?.says("intact, 3 rows")?;
    assert_eq!(hookway.json(&["audit", "verify"]).await?["intact"], true);
    hookway.run(&["plugin", "list"]).await?.ends(0, "nothing found")?;
    hookway.run(&["plugin", "show", "none"]).await?.ends(3, "no plugin of this name")?;
    Ok(())
}

/// A stand-in answers: what is tested is what is asked.
#[tokio::test]
async fn topics_and_test_events_are_asked_for_as_the_api_has_them() -> Result<()> {
    let receiver = Receiver::start().await?;
    let hookway = Hookway::default().set("HOOKWAY_ADDRESS", &receiver.url("")).set("HOOKWAY_KEY", "hk_1");
    let topic =
        r#"{"topic":"orders/created","description":"an order","available_for":["Sellers"],"schema":1.0}"#;
    let page = format!(r#"{{"data":[{topic}],"next_cursor":null}}"#);
    receiver.script("/v1/topics", [Answer::status(200).body(page), Answer::status(200).body(topic)]);
    receiver.script("/v1/topics/orders%2Fcreated", [Answer::status(200).body(topic)]);
    receiver.script("/v1/endpoints/ep_1/test", [Answer::status(202).body(r#"{"event_id":"evt_1"}"#)]);
    let topics = "TOPIC           AVAILABLE FOR  OCCURS WHEN\norders/created  Sellers        an order\n";
    assert_eq!(hookway.ok(&["topic", "list", "--available-for", "Sellers"]).await?.out, topics);
    assert_eq!(hookway.ok(&["topic", "get", "orders/created", "--json"]).await?.out.trim_end(), topic);
    hookway
        .ok(&["topic", "create", "orders/created", "--available-for", "Sellers", "--use-case", "Ship."])
        .await?;
    hookway
        .ok(&["topic", "update", "orders/created", "--description", "an order", "--set", "schema=1.0"])
        .await?;
    hookway.ok(&["topic", "delete", "orders/created"]).await?.says("deleted")?;
    hookway.run_with(&["topic", "import", "-"], r#"{"topics":[]}"#).await?.expect(0)?;
    hookway
        .run_with(&["endpoint", "test", "ep_1", "--topic", "a", "--data", "-"], r#"{"n": 1.0}"#)
        .await?
        .says("evt_1")?;

    let asked = |path: &str| -> Vec<(Method, String)> {
        let requests = receiver.requests(path);
        requests.into_iter().map(|r| (r.method, String::from_utf8_lossy(&r.body).into_owned())).collect()
    };
    let created =
        r#"{"available_for":["Sellers"],"topic":"orders/created","use_cases":["Ship."]}"#.to_owned();
    let all = asked("/v1/topics");
    assert_eq!(all[1..], [(Method::POST, created), (Method::PUT, r#"{"topics":[]}"#.to_owned())]);
    let list = &receiver.requests("/v1/topics")[0];
    assert_eq!(list.path, "/v1/topics?available_for=Sellers&limit=50");
    assert_eq!(list.header("authorization"), "Bearer hk_1");
    let one = asked("/v1/topics/orders%2Fcreated");
    assert_eq!(one[1], (Method::PATCH, r#"{"description":"an order","schema":1.0}"#.to_owned()));
    assert_eq!((&one[0].0, &one[2].0), (&Method::GET, &Method::DELETE));
    let test = r#"{"data":{"n": 1.0},"event":"a"}"#.to_owned();
    assert_eq!(asked("/v1/endpoints/ep_1/test"), [(Method::POST, test)]);
    Ok(())
}

#[tokio::test]
async fn what_failed_is_retried_replayed_recovered_and_looked_at_before() -> Result<()> {
    let scene =
        Scene::with(hookway_tests::gateway::Setup::default().set(r#"deliver.retry=["10ms"]"#)).await?;
    let hookway = Hookway::of(&scene.gateway);
    scene.receiver.script("/a", [Answer::status(500)]);
    let endpoint = scene.endpoint("/a", json!({})).await?.id;
    let id = scene.client.send("orders/created", &json!({ "n": 1 })).await?;
    let failed = scene.client.delivery_in(&id, &endpoint, &["failed"]).await?;
    let delivery = text(&failed["id"])?;
    let event = r#"{"event": "orders/created", "event_id": "o-1", "data": {"n": 1}}"#;
    let shown = hookway.run_with(&["event", "preview", "-"], event).await?.expect(0)?;
    shown.says("would be sent\n")?.says("webhook-id: o-1")?.says("\"n\": 1")?;
    let stored = hookway.json(&["event", "preview", "--id", &id, "--endpoint", &endpoint]).await?;
    assert_eq!(stored["data"][0]["status"], "pending");
    hookway.run(&["event", "preview"]).await?.expect(2)?;

    scene.receiver.script("/a", [Answer::status(200)]);
    hookway.ok(&["delivery", "retry", delivery]).await?.says(&format!("{delivery} is retrying"))?;
    scene.client.delivery_in(&id, &endpoint, &["delivered"]).await?;
    hookway.run(&["delivery", "cancel", delivery]).await?.ends(5, "over")?;
    let replayed = hookway.ok(&["event", "replay", &id, "--endpoint", &endpoint]).await?;
    replayed.says("pending")?.says(&endpoint)?;
    scene.receiver.wait_for("/a", 4).await?;

    let since = "2001-01-01T00:00:00Z";
    let recover = ["endpoint", "recover", &endpoint, "--since", since, "--status", "delivered"];
    let dry = hookway.json(&[&recover[..], &["--dry-run"]].concat()).await?;
    assert!(dry["found"]["delivered"].is_u64());
    hookway.ok(&recover).await?.says(" is done: 2 sent again, 2 looked at")?;
    let started = hookway.json(&[&recover[..], &["--detach"]].concat()).await?;
    let recovery = text(&started["id"])?;
    hookway.ok(&["recovery", "get", recovery]).await?.says(recovery)?;
    assert_eq!(hookway.rows(&["recovery", "list", "--endpoint", &endpoint]).await?.len(), 2);
    hookway.run(&["recovery", "cancel", "rec_x"]).await?.ends(3, "no recovery")?;
    Ok(())
}
