//! Plugins that are bound to a tenant and to the whole gateway, beside those of endpoints.

use std::fs;

use anyhow::{Context, Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{install, plugin};
use http::StatusCode;
use serde_json::{Value, json};

use crate::scene::Scene;

/// A program that notes who ran it.
fn noting(who: &str) -> Value {
    json!({ "program": format!(".path = (.path // []) + [\"{who}\"]") })
}

fn jq(who: &str) -> Value {
    json!({ "plugin": "jq-transform", "config": noting(who) })
}

/// A gateway with two plugins, one of them global.
fn with_a_global_plugin() -> Result<Setup> {
    let global =
        r#"[{ plugin = "jq-transform", config = { program = '.path = (.path // []) + ["global"]' } }]"#;
    let setup = Setup::default().set("plugins.deadline=5s").set(&format!("plugins.bindings={global}"));
    Ok(setup.plugin("jq-transform", plugin("jq-transform")?).plugin("cel-filter", plugin("cel-filter")?))
}

impl Scene {
    async fn bind_tenant(&self, tenant: &str, plugins: Value) -> Result<Value> {
        let body = json!({ "plugins": plugins });
        let answer = self.client.patch(&format!("/v1/tenants/{tenant}"), &body).await?;
        Ok(answer.expect(StatusCode::OK)?.body)
    }

    /// Sends an event and returns the body at the receiver.
    async fn body_of(&self, path: &str, nth: usize, topic: &str, data: Value) -> Result<Value> {
        self.client.send(topic, &data).await?;
        let all = self.receiver.wait_for(path, nth).await?;
        all.last().context("a request arrived")?.json()
    }
}

/// The plugins that a delivery ran, in their order.
fn ran(delivery: &Value) -> Vec<&str> {
    let runs = delivery["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    runs.iter().filter_map(|run| run["plugin"].as_str()).collect()
}

#[tokio::test]
async fn filters_go_before_transforms_and_the_gateway_before_the_tenant_before_the_endpoint() -> Result<()> {
    let mut scene = Scene::with(with_a_global_plugin()?).await?;
    let tenant = json!([jq("tenant"), { "plugin": "cel-filter", "config": { "expr": "data.n > 0" } }]);
    let shown = scene.bind_tenant("default", tenant.clone()).await?;
    ensure!(shown["plugins"][0]["config"] == noting("tenant") && shown["name"] == "default", "{shown}");
    let endpoint = scene.endpoint("/a", json!({ "plugins": [jq("endpoint")] })).await?;
    scene.endpoint("/other", json!({ "tenant": "acme" })).await?;

    let body = scene.body_of("/a", 1, "orders/created", json!({ "n": 1 })).await?;
    ensure!(body["path"] == json!(["global", "tenant", "endpoint"]), "{body}");
    let log = scene.client.deliveries(&format!("endpoint={}", endpoint.id)).await?;
    ensure!(ran(&log[0]) == ["cel-filter", "jq-transform", "jq-transform", "jq-transform"], "{}", log[0]);
    let id = scene.client.send("orders/created", &json!({ "n": 0 })).await?;
    scene.client.delivery_in(&id, &endpoint.id, &["filtered"]).await?;

    let event = json!({ "tenant": "acme", "event": "a", "data": { "n": 0 } });
    scene.client.send_event(&event).await?;
    let others = scene.receiver.wait_for("/other", 1).await?;
    let body = others[0].json()?;
    ensure!(body["path"] == json!(["global"]), "the plugins of another tenant: {body}");

    let preview = json!({ "event": "orders/created", "data": { "n": 1 } });
    let preview = scene.client.post("/v1/preview", &preview).await?.expect(StatusCode::OK)?.body.to_string();
    ensure!(preview.contains("global") && preview.contains("tenant"), "a preview says the same: {preview}");

    scene.gateway.stop().await?;
    scene.gateway.restart().await?;
    let body = scene.body_of("/a", 2, "orders/created", json!({ "n": 1 })).await?;
    ensure!(body["path"] == json!(["global", "tenant", "endpoint"]), "after a restart: {body}");
    Ok(())
}

#[tokio::test]
async fn a_binding_is_for_its_topics_only() -> Result<()> {
    let scene = Scene::with(with_a_global_plugin()?).await?;
    let mut orders = jq("orders");
    orders["topics"] = json!(["orders/*"]);
    scene.bind_tenant("default", json!([orders])).await?;
    let mut users = jq("users");
    users["topics"] = json!(["users/*"]);
    scene.endpoint("/a", json!({ "plugins": [users] })).await?;
    for (nth, topic, path) in [
        (1, "orders/created", json!(["global", "orders"])),
        (2, "users/created", json!(["global", "users"])),
        (3, "stock/updated", json!(["global"])),
    ] {
        let body = scene.body_of("/a", nth, topic, json!({})).await?;
        ensure!(body["path"] == path, "{topic}: {body}");
    }
    Ok(())
}

async fn key(client: &Client, scope: &str) -> Result<Client> {
    let made = client.post("/v1/keys", &json!({ "scope": scope })).await?.expect(StatusCode::CREATED)?;
    Ok(client.with_key(Some(made.body["key"].as_str().context("a new key has a text")?)))
}

#[tokio::test]
async fn a_bad_binding_of_a_tenant_is_refused_where_it_stands_and_changes_nothing() -> Result<()> {
    let scene = Scene::with(with_a_global_plugin()?).await?;
    let path = "/v1/tenants/acme";
    for (plugins, pointer) in [
        (json!([jq("a"), { "plugin": "absent" }]), "/plugins/1/plugin"),
        (json!([{ "config": {} }]), "/plugins/0/plugin"),
        (json!([{ "plugin": "cel-filter", "config": { "expr": "1 +" } }]), "/plugins/0/config"),
        (json!([{ "plugin": "cel-filter" }]), "/plugins/0/config"),
        (
            json!([{ "plugin": "jq-transform", "config": noting("a"), "topics": ["a//b"] }]),
            "/plugins/0/topics/0",
        ),
        (json!([{ "plugin": "cel-filter", "on_failure": "explode" }]), "/plugins/0/on_failure"),
        (json!(vec![jq("a"); 17]), "/plugins"),
    ] {
        let refused = scene.client.patch(path, &json!({ "plugins": plugins })).await?;
        let refused = refused.expect_refusal("plugin").with_context(|| pointer)?.body;
        ensure!(refused["pointer"] == pointer, "{refused}");
    }
    let dry = format!("{path}?dry_run=true");
    let tried = scene.client.patch(&dry, &json!({ "plugins": [jq("a")] })).await?.expect(StatusCode::OK)?;
    ensure!(tried.body["plugins"][0]["plugin"] == "jq-transform", "{}", tried.body);
    scene.client.get(path).await?.expect_problem(404, "acme")?;

    let (own, other) = (key(&scene.client, "tenant:acme").await?, key(&scene.client, "tenant:other").await?);
    scene
        .client
        .patch(path, &json!({ "plugins": [jq("a")], "description": "large" }))
        .await?
        .expect(StatusCode::OK)?;
    let shown = own.get(path).await?.expect(StatusCode::OK)?.body;
    ensure!(shown["description"] == "large" && shown["keys"] == 1, "{shown}");
    own.patch(path, &json!({ "plugins": [] })).await?.expect_problem(403, "admin")?;
    other.get(path).await?.expect_problem(404, "tenant")?;
    other.patch(path, &json!({ "plugins": [] })).await?.expect_problem(404, "tenant")?;
    let listed = scene.client.get("/v1/tenants").await?.expect(StatusCode::OK)?.body;
    ensure!(listed["data"][0] == shown, "{listed}");

    let rows = scene.client.get("/v1/audit?action=tenant.updated").await?.expect(StatusCode::OK)?.body;
    let rows = rows["data"].as_array().context("a list has `data`")?;
    ensure!(rows.len() == 1 && rows[0]["target"] == "acme" && rows[0]["tenant"] == "acme", "{rows:?}");
    ensure!(rows[0]["changes"]["plugins"]["new"][0]["config"] == noting("a"), "{}", rows[0]);
    Ok(())
}

#[tokio::test]
async fn a_plugin_in_use_by_a_tenant_or_the_gateway_is_replaced_and_removed_with_the_same_care() -> Result<()>
{
    let scene = Scene::with(with_a_global_plugin()?).await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    scene.bind_tenant("default", json!([{ "plugin": "cel-filter", "config": { "expr": "true" } }])).await?;

    // A version that does not take the configuration of the tenant, nor that of the gateway, does not go live.
    let dir = scene.gateway.plugins_dir();
    for (name, whose) in
        [("cel-filter", "all endpoints of tenant `default`"), ("jq-transform", "`plugins.bindings`")]
    {
        let other = if name == "cel-filter" { plugin("jq-transform")? } else { plugin("cel-filter")? };
        install(&other, &dir, name)?;
        let is_refused =
            |status: &Value| status["reason"].as_str().is_some_and(|reason| reason.contains(whose));
        scene.client.plugin_when(name, "is refused by those who use it", is_refused).await?;
        install(&plugin(name)?, &dir, name)?;
        scene.client.plugin_active(name).await?;
    }

    // One that is removed holds what needs it, and gives it free when it is back.
    fs::remove_file(dir.join("jq-transform.wasm"))?;
    let path = "/v1/plugins/jq-transform";
    let gone = hookway_tests::patience::eventually("the plugin is gone", || async {
        Ok((scene.client.get(path).await?.status == StatusCode::NOT_FOUND).then_some(()))
    });
    gone.await?;
    let id = scene.client.send("a", &json!({ "n": 1 })).await?;
    let held = scene.client.delivery_in(&id, &endpoint.id, &["held"]).await?;
    ensure!(held["reason"].as_str().is_some_and(|reason| reason.contains("jq-transform")), "{held}");
    install(&plugin("jq-transform")?, &dir, "jq-transform")?;
    let got = scene.receiver.wait_for("/a", 1).await?;
    ensure!(got[0].json().is_ok_and(|body| body["path"] == json!(["global"])), "{got:?}");
    Ok(())
}

#[tokio::test]
async fn a_global_plugin_that_does_not_work_is_told_in_the_log_and_holds() -> Result<()> {
    let setup = Setup::default().set(r#"plugins.bindings=[{ plugin = "absent" }]"#);
    let scene = Scene::with(setup).await?;
    let log = scene.gateway.log_tail();
    ensure!(log.contains("plugins.bindings[0]") && log.contains("there is no plugin `absent`"), "{log}");
    let endpoint = scene.endpoint("/a", json!({})).await?;
    let id = scene.client.send("a", &json!({})).await?;
    let held = scene.client.delivery_in(&id, &endpoint.id, &["held"]).await?;
    ensure!(held["reason"].as_str().is_some_and(|reason| reason.contains("absent")), "{held}");
    Ok(())
}
