//! Guests that misbehave are stopped; what they did stands on the delivery; nobody else is affected.

use anyhow::{Context, Result, ensure};
use hookway_tests::gateway::Setup;
use hookway_tests::guests::{all_guests, guest, install};
use hookway_tests::patience::eventually;
use hookway_tests::receiver::Received;
use serde_json::{Value, json};

use crate::scene::{Scene, run_of};

impl Scene {
    /// An endpoint that uses the guest under its own name, and one beside it that uses a plugin that does its work.
    async fn with_guest(name: &str, config: Value) -> Result<(Self, String)> {
        // Only the guest that loops is to meet its deadline: on a busy machine the others need time to meet theirs.
        let deadline = if name.ends_with("-forever") || name == "ask-without-end" { "50ms" } else { "5s" };
        let setup = Setup::default()
            .set(&format!("plugins.deadline={deadline}"))
            .plugin(name, guest(name)?)
            .plugin("neighbour", guest("switchable-v1")?);
        let scene = Self::with(setup).await?;
        let endpoint = scene.endpoint_with("/guest", name, config).await?;
        scene.endpoint_with("/other", "neighbour", json!({})).await?;
        Ok((scene, endpoint.id))
    }

    /// Sends poison and returns the delivery once it is held; the other endpoint must have got the event.
    async fn held_by_poison(&self, endpoint: &str) -> Result<Value> {
        let id = self.client.send("a", &json!({ "poison": true })).await?;
        let delivery = self.client.delivery_in(&id, endpoint, &["held"]).await?;
        let has_it = |requests: &[Received]| requests.iter().any(|request| request.id() == id);
        let others = self.receiver.wait_until("/other", "the same event elsewhere", has_it).await?;
        for request in others {
            assert_eq!(request.json()?["v"], 1, "the plugin beside it does its work");
        }
        Ok(delivery)
    }
}

/// The whole life of a guest that misbehaves on poison: it serves, is stopped with a sentence that has `word`, serves
/// the next event again, and a new version of the plugin releases what it held.
async fn is_stopped_and_recovers(name: &str, word: &str) -> Result<()> {
    let (scene, endpoint) = Scene::with_guest(name, json!({})).await?;
    scene.client.send("a", &json!({ "n": 1 })).await?;
    scene.receiver.wait_for("/guest", 1).await?;
    let held = scene.held_by_poison(&endpoint).await?;
    let reason = held["reason"].as_str().context("a held delivery has a reason")?;
    ensure!(reason.contains(name), "the reason names the plugin: {reason}");
    ensure!(reason.to_lowercase().contains(word), "the reason says {word:?}: {reason}");
    assert_eq!(run_of(&held, name)["outcome"], "failed", "{held}");
    ensure!(held["due_at"].is_string(), "a held delivery is tried again: {held}");
    let good = scene.client.send("a", &json!({ "n": 2 })).await?;
    let served = |requests: &[Received]| requests.iter().any(|request| request.id() == good);
    scene.receiver.wait_until("/guest", "the next event", served).await?;
    install(&guest("switchable-v1")?, &scene.gateway.plugins_dir(), name)?;
    let poison = held["event_id"].as_str().context("a delivery names its event")?;
    let released = |requests: &[Received]| requests.iter().any(|request| request.id() == poison);
    scene.receiver.wait_until("/guest", "the event that was held", released).await?;
    Ok(())
}

#[tokio::test]
async fn a_filter_that_never_returns_is_stopped_at_its_deadline() -> Result<()> {
    is_stopped_and_recovers("spin-forever", "50 ms").await
}

#[tokio::test]
async fn a_filter_that_panics_is_recorded() -> Result<()> {
    is_stopped_and_recovers("trap", "").await
}

#[tokio::test]
async fn a_filter_that_eats_memory_is_stopped_at_its_limit() -> Result<()> {
    is_stopped_and_recovers("eat-memory", "64 mib").await
}

#[tokio::test]
async fn a_filter_that_overflows_its_stack_is_stopped() -> Result<()> {
    is_stopped_and_recovers("overflow-stack", "stack").await
}

#[tokio::test]
async fn a_transform_with_an_output_over_the_limit_is_stopped() -> Result<()> {
    is_stopped_and_recovers("huge-output", "").await
}

#[tokio::test]
async fn a_filter_that_asks_the_host_without_end_is_stopped_at_its_deadline() -> Result<()> {
    is_stopped_and_recovers("ask-without-end", "50 ms").await
}

#[tokio::test]
async fn a_transform_with_33000_headers_is_stopped() -> Result<()> {
    is_stopped_and_recovers("many-headers", "its output is").await
}

#[tokio::test]
async fn of_a_million_lines_and_one_of_a_mebibyte_few_and_short_ones_are_kept() -> Result<()> {
    let name = "log-without-end";
    let scene = Scene::with(Setup::default().set("plugins.deadline=60s").plugin(name, guest(name)?)).await?;
    scene.endpoint_with("/guest", name, json!({})).await?;
    scene.client.send("a", &json!({ "poison": true })).await?;
    scene.receiver.wait_for("/guest", 1).await?;
    let status = scene.client.get(&format!("/v1/plugins/{name}")).await?.body;
    let dropped = status["usage"]["log_lines_dropped"].as_u64().context("dropped lines are counted")?;
    // 64 of a call are kept; a second call, after a moment of waiting, may have been one of a retry.
    ensure!(dropped >= 1_000_001 - 64, "{status}");
    let log = std::fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    ensure!(log.len() < 64 << 10 && log.contains('…'), "they became {} bytes", log.len());
    Ok(())
}

#[tokio::test]
async fn a_guest_that_floods_the_log_fills_nothing_and_forges_no_line() -> Result<()> {
    let (scene, _) = Scene::with_guest("flood-log", json!({})).await?;
    let poison = scene.client.send("a", &json!({ "poison": true })).await?;
    let good = scene.client.send("a", &json!({ "n": 1 })).await?;
    let served = |requests: &[Received]| requests.iter().any(|request| request.id() == good);
    scene.receiver.wait_until("/guest", "the next event", served).await?;
    eventually("the flood is on its way or recorded", || async {
        let event = scene.client.event(&poison).await?;
        Ok(event["deliveries"][0]["id"].is_string().then_some(()))
    })
    .await?;
    let log = std::fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    ensure!(log.len() < 1 << 20, "10,000 lines of 4 KiB became {} bytes", log.len());
    for hostile in ["\u{1b}[31mred", "\u{1b}[2J", "\u{7}", "\nINFO a line"] {
        ensure!(!log.contains(hostile), "{hostile:?} came through");
    }
    Ok(())
}

#[tokio::test]
async fn headers_that_are_not_a_plugins_to_set_are_refused_by_name() -> Result<()> {
    let name = "forbidden-header";
    let scene = Scene::with(Setup::default().plugin(name, guest(name)?)).await?;
    let set = |name: &str, value: &str| (name.to_owned(), json!({ "name": name, "value": value }));
    let remove = |name: &str| (name.to_owned(), json!({ "name": "x-a", "remove": name }));
    let cases = [
        set("host", "evil.example"),
        set("Webhook-Id", "evt_other"),
        set("webhook-signature", "v1,x"),
        set("hookway-attempt", "7"),
        set("content-length", "0"),
        set("transfer-encoding", "chunked"),
        set("connection", "close"),
        set("x-a", "1\r\nx-b: 2"),
        set("x a", "1"),
        set("x-a", "1\n"),
        set("x-a", "1\0"),
        set("x-\r\na", "1"),
        remove("Host"),
        remove("webhook-id"),
        remove("webhook-signature"),
        remove("content-length"),
    ];
    for (number, (header, config)) in cases.into_iter().enumerate() {
        let path = format!("/{number}");
        let endpoint = scene
            .client
            .create_endpoint(&json!({
                "url": scene.receiver.url(&path),
                "topics": [format!("t{path}")],
                "plugins": [{ "plugin": name, "config": config }],
            }))
            .await?;
        let id = scene.client.send(&format!("t{path}"), &json!({ "poison": true })).await?;
        let held = scene.client.delivery_in(&id, &endpoint.id, &["held"]).await?;
        let reason = held["reason"].as_str().unwrap_or_default();
        let shown = header.to_lowercase().escape_debug().to_string();
        ensure!(reason.to_lowercase().contains(&shown), "the reason names {shown}: {reason}");
        ensure!(scene.receiver.requests(&path).is_empty(), "it was sent with {header}");
    }
    Ok(())
}

#[tokio::test]
async fn a_config_on_which_init_never_returns_is_refused() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("spin-in-init", guest("spin-in-init")?)).await?;
    let plugins = json!({ "plugins": [{ "plugin": "spin-in-init", "config": { "spin": true } }] });
    let refused = scene.client.post("/v1/endpoints", &scene.described("/a", plugins)).await?;
    refused.expect_refusal("/plugins/0")?;
    scene.endpoint_with("/b", "spin-in-init", json!({})).await?;
    scene.client.send("a", &json!(1)).await?;
    scene.receiver.wait_for("/b", 1).await?;
    Ok(())
}

#[tokio::test]
async fn what_a_plugin_can_never_handle_is_given_up_and_what_it_cannot_handle_now_is_held() -> Result<()> {
    for (name, status, words) in [
        ("invalid-always", "failed", "no event was ever good enough"),
        ("retry-later", "held", "the moon is not full"),
    ] {
        let (scene, endpoint) = Scene::with_guest(name, json!({})).await?;
        let id = scene.client.send("a", &json!(1)).await?;
        let delivery = scene.client.delivery_in(&id, &endpoint, &[status]).await?;
        let reason = delivery["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains(words) && reason.contains(name), "{name}: {delivery}");
        ensure!(scene.receiver.requests("/guest").is_empty(), "{name} let it through");
    }
    Ok(())
}

#[tokio::test]
async fn on_failure_says_what_becomes_of_an_event_that_a_plugin_cannot_judge() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("trap", guest("trap")?)).await?;
    let mut endpoints = Vec::new();
    for on_failure in ["open", "closed"] {
        let plugins = json!({ "plugins": [{ "plugin": "trap", "on_failure": on_failure }] });
        endpoints.push(scene.endpoint(&format!("/{on_failure}"), plugins).await?.id);
    }
    let id = scene.client.send("a", &json!({ "poison": true })).await?;
    assert_eq!(scene.receiver.wait_for("/open", 1).await?[0].id(), id);
    let open = scene.client.delivery_in(&id, &endpoints[0], &["delivered"]).await?;
    assert_eq!(run_of(&open, "trap")["outcome"], "failed", "the failure is recorded: {open}");
    let closed = scene.client.delivery_in(&id, &endpoints[1], &["filtered"]).await?;
    ensure!(closed["reason"].as_str().is_some_and(|reason| reason.contains("trap")), "{closed}");
    ensure!(scene.receiver.requests("/closed").is_empty(), "closed means closed");
    Ok(())
}

#[tokio::test]
async fn no_instance_is_shared_by_two_tenants() -> Result<()> {
    let scene = Scene::with(Setup::default().plugin("leaky", guest("leaky")?)).await?;
    let tenants = ["one", "two"];
    for tenant in tenants {
        let with = json!({ "tenant": tenant, "plugins": [{ "plugin": "leaky" }] });
        scene.endpoint(&format!("/{tenant}"), with).await?;
    }
    for number in 0..50 {
        for tenant in tenants {
            let event = json!({ "event": "a", "data": number, "tenant": tenant });
            scene.client.send_event(&event).await?;
        }
    }
    for tenant in tenants {
        let mut remembered = 0;
        for request in scene.receiver.wait_for(&format!("/{tenant}"), 50).await? {
            let body = request.json()?;
            assert_eq!(body["tenant"], tenant);
            if let Some(seen) = body["seen"][0].as_str() {
                assert_eq!(seen, tenant, "an instance served two tenants: {body}");
                remembered += 1;
            }
        }
        ensure!(remembered > 0, "instances are reused, so that this test proves something");
    }
    Ok(())
}

/// What one tenant hands to a plugin is nowhere in what another tenant's calls can see: with few places for instances, each is used
/// again and again, by one tenant and then by the other.
async fn a_secret_stays_with_its_tenant(setting: &str) -> Result<()> {
    const CALLS: usize = 500;
    const SECRET: &str = "zqkvwjxyzzqpfvbk";
    let setup = Setup::default()
        .set("plugins.deadline=60s")
        .set("plugins.instances=4")
        .set(setting)
        .plugin("hoard", guest("hoard")?);
    let scene = Scene::with(setup).await?;
    for tenant in ["one", "two"] {
        let with = json!({ "tenant": tenant, "plugins": [{ "plugin": "hoard" }] });
        scene.endpoint(&format!("/{tenant}"), with).await?;
    }
    for _ in 0..CALLS {
        let planted = json!({ "event": "a", "data": { "plant": SECRET }, "tenant": "one" });
        scene.client.send_event(&planted).await?;
        let look = json!({ "event": "a", "data": { "look_for": SECRET.to_uppercase() }, "tenant": "two" });
        scene.client.send_event(&look).await?;
    }
    scene.receiver.wait_for("/one", CALLS).await?;
    let answers = scene.receiver.wait_for("/two", CALLS).await?;
    for answer in answers {
        let body = answer.json()?;
        assert_eq!(body["found"], 0, "{setting}: {body}");
        ensure!(
            body["looked_through"].as_u64() > Some(2 << 20),
            "{setting}: all memory is looked through: {body}"
        );
    }
    let log = std::fs::read_to_string(scene.gateway.home().join("gateway.log"))?;
    ensure!(!log.contains(SECRET), "{setting}: the secret is in the log");
    // What the test looks with does find: in its own tenant the secret is there.
    let own = json!({ "event": "a", "tenant": "one", "data": { "plant": SECRET, "look_for": SECRET.to_uppercase() } });
    let id = scene.client.send_event(&own).await?;
    let has_it = |requests: &[Received]| requests.iter().any(|request| request.id() == id);
    let mine = scene.receiver.wait_until("/one", "the tenant's own look", has_it).await?;
    let mine = mine.iter().find(|request| request.id() == id).context("it is there")?.json()?;
    ensure!(mine["found"].as_u64() > Some(100_000), "{setting}: {mine}");
    Ok(())
}

#[tokio::test]
async fn a_secret_in_a_reused_instance_never_shows_in_another_tenants_call() -> Result<()> {
    a_secret_stays_with_its_tenant("plugins.reuse=1000").await
}

#[tokio::test]
async fn a_secret_in_a_slot_that_is_used_again_never_shows_in_another_tenants_call() -> Result<()> {
    a_secret_stays_with_its_tenant("plugins.reuse=1").await
}

/// A guest without a test proves nothing.
#[test]
fn every_guest_has_a_test() -> Result<()> {
    /// Is there to be measured, not to misbehave.
    const MEASURED: &str = "one-field";
    let tests = [
        include_str!("candidates.rs"),
        include_str!("hostile.rs"),
        include_str!("grants.rs"),
        include_str!("../ingest.rs"),
        include_str!("../reload.rs"),
    ]
    .concat();
    for name in all_guests()? {
        ensure!(name == MEASURED || tests.contains(&format!("\"{name}\"")), "no test uses the guest {name}");
    }
    Ok(())
}
