//! `hookway apply` and `hookway export`: configuration in files, against the real gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::guests::plugin;
use hookway_tests::receiver::{Answer, Receiver};
use hookway_tests::workspace;
use http::Method;
use serde_json::{Map, Value, json};

use crate::scene::Scene;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What the gateway decides about an endpoint and nobody declares.
const DECIDED: [&str; 8] =
    ["id", "secrets", "state", "health", "inactive_reason", "inactive_since", "created_at", "updated_at"];

fn write(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    path.to_str().map(str::to_owned).context("a path of text")
}

/// All that a file could change, and how often it was changed.
async fn everything(gateway: &Gateway) -> Result<Value> {
    let client = gateway.client();
    let mut all = Vec::new();
    for path in ["/v1/endpoints", "/v1/tenants", "/v1/topics", "/v1/audit"] {
        all.push(client.get(&format!("{path}?limit=250")).await?.body);
    }
    Ok(Value::Array(all))
}

/// A catalogue and endpoints of two tenants.
fn toml(base: &str, rate_limit: u32) -> String {
    format!(
        r#"
[[topics]]
topic = "orders/created"
description = "an order was placed"
examples = [{{ order_id = "ord_1" }}]
[topics.schema]
type = "object"

[[endpoints]]
tenant = "acme"
url = "{base}/orders"
topics = ["orders/*"]
rate_limit = {rate_limit}
timeout = "1000ms"
headers = {{ Authorization = {{ env = "TOKEN" }} }}

[[endpoints]]
tenant = "globex"
url = "{base}/all"
topics = ["**"]
filter = {{ data = {{ total = {{ "$gt" = 100 }} }} }}
"#
    )
}

/// The same in YAML.
fn yaml(base: &str, rate_limit: u32) -> String {
    format!(
        r#"
endpoints:
- tenant: globex
  url: {base}/all
  topics: ["**"]
  filter: {{data: {{total: {{$gt: 100}}}}}}
- tenant: acme
  url: {base}/orders
  topics: [orders/*]
  rate_limit: {rate_limit}
  timeout: 1s
  headers:
    authorization: {{env: TOKEN}}
topics:
- topic: orders/created
  description: an order was placed
  examples: [{{order_id: ord_1}}]
  schema: {{type: object}}
"#
    )
}

#[tokio::test]
async fn a_gateway_is_brought_to_what_a_file_says_and_stays_there() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway).set("TOKEN", "Bearer s3cret");
    let base = scene.receiver.url("");
    let file = write(scene.gateway.home(), "a.toml", &toml(&base, 10))?;

    let before = everything(&scene.gateway).await?;
    let plan = hookway.ok(&["apply", &file, "--dry-run"]).await?;
    let plan = plan.says("+ create the topic orders/created")?.says("+ create the endpoint ")?;
    let plan = plan.says("rate_limit  10")?.says("[hidden]")?.ends(0, "3 to create; nothing was changed")?;
    ensure!(!plan.out.contains("s3cret"), "{plan:?}");
    hookway.run(&["apply", &file, "--dry-run", "--exit-code"]).await?.expect(8)?;
    hookway.run(&["apply", &file]).await?.ends(2, "say --yes")?;
    assert_eq!(everything(&scene.gateway).await?, before, "nobody said that it may be changed");

    let done = hookway.ok(&["apply", &file, "--yes"]).await?.says("+ created the topic orders/created")?;
    assert_eq!(done.out.matches("its secret, shown this once: whsec_").count(), 2, "{done:?}");
    let after = everything(&scene.gateway).await?;
    assert_eq!(after[0]["data"][0]["headers"], json!({ "authorization": "Bearer s3cret" }));

    let same = write(scene.gateway.home(), "b.yaml", &yaml(&base, 10))?;
    for file in [&file, &same] {
        let again = hookway.run(&["apply", file, "--yes", "--prune"]).await?.ends(0, "nothing to do")?;
        assert_eq!(again.out, "");
        hookway.ok(&["apply", file, "--dry-run", "--exit-code"]).await?;
    }
    assert_eq!(
        everything(&scene.gateway).await?,
        after,
        "a second time writes nothing, not even an audit row"
    );

    let other = write(scene.gateway.home(), "c.yml", &yaml(&base, 20))?;
    let changed = hookway.set("TOKEN", "Bearer other");
    let done = changed.ok(&["apply", &other, "--yes"]).await?.says("~ change the endpoint ")?;
    let done =
        done.says("rate_limit  10 -> 20")?.says("[hidden, another]")?.says("~ changed the endpoint ")?;
    ensure!(!done.out.contains("s3cret") && !done.out.contains("Bearer"), "{done:?}");
    changed.run(&["apply", &other, "--yes"]).await?.ends(0, "nothing to do")?;
    Ok(())
}

#[tokio::test]
async fn what_is_not_in_the_files_goes_only_when_asked_to() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    for (path, tenant) in [("/a", "acme"), ("/b", "acme"), ("/c", "globex")] {
        scene.endpoint(path, json!({ "tenant": tenant, "description": "by hand" })).await?;
    }
    scene.client.post("/v1/topics", &json!({ "topic": "a" })).await?;
    let endpoint =
        format!("[[endpoints]]\ntenant = 'acme'\nurl = '{}'\ntopics = ['**']\n", scene.receiver.url("/a"));
    let file = write(scene.gateway.home(), "a.toml", &endpoint)?;
    let left = hookway.run(&["apply", &file, "--yes"]).await?.ends(0, "left as it is")?;
    ensure!(left.err.contains("/b of acme") && !left.err.contains("globex"), "{left:?}");
    left.says("description  \"by hand\" -> -")?;
    assert_eq!(hookway.rows(&["endpoint", "list"]).await?.len(), 3);

    let pruned = hookway.rows(&["apply", &file, "--yes", "--prune"]).await?;
    assert_eq!(pruned.len(), 1, "{pruned:?}");
    assert_eq!((&pruned[0]["action"], &pruned[0]["done"]), (&json!("delete"), &json!(true)));
    let rest = hookway.rows(&["endpoint", "list"]).await?;
    let tenants: Vec<_> = rest.iter().map(|row| row["tenant"].as_str().unwrap_or_default()).collect();
    assert_eq!(tenants, ["acme", "globex"], "a tenant that no file speaks of keeps its endpoints");
    assert_eq!(
        hookway.rows(&["topic", "list"]).await?.len(),
        1,
        "a file without topics says nothing of them"
    );

    let nothing =
        write(scene.gateway.home(), "none.yaml", "tenants: [globex, acme]\ntopics: []\nendpoints: []\n")?;
    hookway.ok(&["apply", &nothing, "--dry-run", "--prune"]).await?.says("- delete the topic a")?;
    hookway.ok(&["apply", &nothing, "--yes", "--prune"]).await?;
    for noun in ["endpoint", "topic"] {
        hookway.run(&[noun, "list"]).await?.ends(0, "nothing found")?;
    }
    Ok(())
}

#[tokio::test]
async fn all_mistakes_are_told_at_once_and_nothing_is_changed() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let base = scene.receiver.url("");
    let text = format!(
        r#"
topics:
- {{topic: good}}
- {{topic: bad, schema: {{type: nonsense}}}}
- {{topic: worse, examlpes: []}}
endpoints:
- {{url: "{base}/good", topics: [a]}}
- {{url: "{base}/a", topics: [a], rate_limits: 1}}
- {{url: "{base}/b", topics: ["a b"]}}
- {{url: "{base}/c", topics: [a], plugins: [{{plugin: none}}]}}
- {{url: "http://10.0.0.1/", topics: [a]}}
- {{url: "{base}/d", topics: [a], headers: {{x-a: {{keep: true}}}}}}
- {{url: "{base}/d/../d", topics: [a]}}
"#
    );
    let file = write(scene.gateway.home(), "a.yaml", &text)?;
    let before = everything(&scene.gateway).await?;
    for flag in ["--dry-run", "--yes"] {
        let mut refused = hookway.run(&["apply", &file, flag]).await?.expect(1)?;
        assert_eq!(refused.out, "");
        for words in [
            "a.yaml, topics[1] (bad): ",
            "a.yaml, topics[2] (worse): unknown field `examlpes`",
            "unknown field `rate_limits`",
            "a.yaml, endpoints[1] (",
            "(at /topics/0)",
            "there is no plugin `none`",
            "private or special network",
            "the header `x-a` has no value yet",
            "is declared in",
        ] {
            refused = refused.ends(1, words)?;
        }
        ensure!(!refused.err.contains("good"), "{refused:?}");
    }
    assert_eq!(everything(&scene.gateway).await?, before);

    let huge = write(scene.gateway.home(), "huge.toml", &"#".repeat(33 * 1024 * 1024))?;
    hookway.run(&["apply", &huge, "--yes"]).await?.ends(1, "more than 32 MiB")?;
    let deep = write(scene.gateway.home(), "deep.yaml", &format!("endpoints: {}", "[".repeat(1_000_000)))?;
    hookway.run(&["apply", &deep, "--yes"]).await?.ends(1, "deep.yaml: ")?;
    hookway.run(&["apply", "/nonexistent.toml", "--yes"]).await?.ends(1, "cannot read this file")?;
    hookway
        .run(&["apply", &write(scene.gateway.home(), "a.txt", "")?, "--yes"])
        .await?
        .ends(2, "--format")?;
    hookway.run_with(&["apply", "-"], "[[endpoint]]").await?.ends(1, "line 1: unknown field `endpoint`")?;
    Ok(())
}

/// An endpoint with something in every field that people write.
fn with_every_field(base: &str) -> Value {
    json!({
        "tenant": "acme",
        "url": format!("{base}/every?token=1&x=%20"),
        "topics": ["orders/*", "stock/**"],
        "matcher": null,
        "plugins": [
            { "plugin": "cel-filter", "config": { "expr": "data.total > 100.0" }, "topics": ["orders/*"], "on_failure": "open" },
            { "plugin": "redact", "config": { "mask": ["/data/card"] } },
        ],
        "description": "everything: \"quotes\", # hashes\nand lines",
        "metadata": { "a b/c": "yes", "größe": "1.0" },
        "headers": { "Authorization": "Bearer s3cret", "x-a": "" },
        "timeout": "1500ms",
        "retry": ["5s", "1h 30m"],
        "rate_limit": 7,
        "burst_limit": 3,
        "ordering": "fifo",
        "ordering_key": "/customer/id",
        "filter": { "data": { "total": { "$gt": "BIG" } } },
        "signature": { "style": "hmac-hex", "header": "X-Sig", "prefix": "sha256=" },
        "secrets": [{ "type": "ed25519" }, { "type": "hmac-sha256" }],
    })
}

/// What people declared: without ids, times and what the gateway decides.
async fn declared(gateway: &Gateway) -> Result<Vec<Map<String, Value>>> {
    let all = gateway.client().get("/v1/endpoints").await?.body["data"].clone();
    let mut all: Vec<Map<String, Value>> = serde_json::from_value(all)?;
    for endpoint in &mut all {
        let deactivated = endpoint["inactive_reason"] == "deactivated";
        endpoint.retain(|name, _| !DECIDED.contains(&name.as_str()));
        endpoint.insert("deactivated".to_owned(), deactivated.into());
    }
    Ok(all)
}

/// A gateway with the plugins that its endpoints use.
async fn with_plugins() -> Result<Gateway> {
    let mut setup = Setup::default();
    for name in ["cel-filter", "redact", "mqtt-topics"] {
        setup = setup.plugin(name, plugin(name)?);
    }
    setup.start().await
}

/// Endpoints and a topic that say all that can be said.
async fn furnish(gateway: &Gateway, receiver: &Receiver) -> Result<()> {
    let client = gateway.client();
    let create = async |path: &str, body: String| {
        let json = [("content-type", "application/json")];
        client.call(Method::POST, path, &json, Some(body.into())).await?.expect(http::StatusCode::CREATED)
    };
    // A number with more digits than any number here has, so in the text.
    let every = with_every_field(&receiver.url("")).to_string();
    create("/v1/endpoints", every.replace("\"BIG\"", "12345678901234567890123")).await?;
    let matched = json!({ "url": receiver.url("/mqtt"), "matcher": "mqtt-topics", "topics": ["orders/+/#"] });
    let matched = create("/v1/endpoints", matched.to_string()).await?.body;
    let id = matched["id"].as_str().context("an id")?;
    client.post(&format!("/v1/endpoints/{id}/deactivate"), &json!({})).await?;
    let plain = json!({ "url": receiver.url("/plain"), "topics": ["**"], "tenant": "acme" });
    create("/v1/endpoints", plain.to_string()).await?;
    let topic = r#"{"topic": "orders/created", "description": "an order", "use_cases": ["Ship."], "available_for": ["Sellers"],
        "examples": [{"id": 12345678901234567890123, "gone": null, "price": 1.10}, "text", 7], "schema": true}"#;
    create("/v1/topics", topic.to_owned()).await?;

    let tenant = r#"{"description": "a large one", "plugins": [{"plugin": "cel-filter", "config": {"expr": "true"}},
        {"plugin": "redact", "config": {"drop": ["/data/card"], "with": 12345678901234567890123}, "topics": ["a/*"], "on_failure": "open"}]}"#;
    let json = [("content-type", "application/json")];
    let set = client.call(Method::PATCH, "/v1/tenants/globex", &json, Some(tenant.to_owned().into())).await?;
    set.expect(http::StatusCode::OK)?;

    let all = declared(gateway).await?;
    let ours = all.iter().find(|endpoint| endpoint["rate_limit"] == 7).context("the full one")?;
    let empty = |value: &Value| [json!(null), json!([]), json!({}), json!(0), json!("")].contains(value);
    for (name, value) in ours.iter().filter(|(name, _)| *name != "matcher") {
        ensure!(!empty(value), "give `{name}` a value in this test");
    }
    Ok(())
}

#[tokio::test]
async fn what_goes_for_all_endpoints_of_a_tenant_is_declared_with_it() -> Result<()> {
    let gateway = with_plugins().await?;
    let hookway = Hookway::of(&gateway);
    let file =
        |plugins: &str| format!("[[tenants]]\nname = \"acme\"\ndescription = \"one\"\nplugins = {plugins}\n");
    let apply = ["apply", "-", "--yes"];
    let mistake = file("[{ plugin = \"redact\", config = 'x' }, { plugin = \"absent\" }]");
    hookway.run_with(&apply, &mistake).await?.ends(1, "tenants[0] (acme): `plugins[0].config`")?;
    let absent = file("[{ plugin = \"absent\" }]");
    hookway.run_with(&apply, &absent).await?.ends(1, "tenants[0] (acme): ")?;
    hookway.run_with(&apply, "[[tenants]]\nplugins = []\n").await?.ends(1, "`name` is missing")?;
    hookway.run_with(&apply, "tenants = [7]\n").await?.ends(1, "a tenant is a name, or a table")?;
    hookway.run(&["tenant", "get", "acme"]).await?.ends(3, "nothing of the tenant `acme`")?;

    let good = file("[{ plugin = \"redact\", config = { drop = [\"/data/card\"] } }]");
    let done = hookway.run_with(&apply, &good).await?;
    ensure!(done.code == 0 && done.out.contains("the tenant acme"), "{done:?}");
    hookway.run_with(&apply, &good).await?.ends(0, "nothing to do")?;
    let shown = hookway.json(&["tenant", "get", "acme"]).await?;
    ensure!(shown["plugins"][0]["config"] == json!({ "drop": ["/data/card"] }), "{shown}");
    let listed = hookway.ok(&["tenant", "list"]).await?.out;
    ensure!(listed.contains("acme") && listed.contains("redact"), "{listed}");
    // What a file does not say goes back to its default; what no file names stays.
    hookway.run_with(&apply, "topics = []\n").await?.ends(0, "nothing to do")?;
    hookway.ok(&["tenant", "update", "acme", "--set", "plugins=[]"]).await?;
    hookway.run_with(&apply, "[[tenants]]\nname = \"acme\"\n").await?;
    hookway.run(&["tenant", "get", "acme"]).await?.ends(3, "nothing of the tenant `acme`")?;
    Ok(())
}

#[tokio::test]
async fn what_is_exported_is_what_is_there() -> Result<()> {
    let (gateway, receiver) = (with_plugins().await?, Receiver::start().await?);
    furnish(&gateway, &receiver).await?;
    let hookway = Hookway::of(&gateway);
    for format in ["toml", "yaml"] {
        let file = write(gateway.home(), &format!("kept.{format}"), "")?;
        let exported = hookway.ok(&["export", "--output", &file]).await?.ends(0, "keep = true")?;
        assert_eq!(exported.out, "");
        let text = fs::read_to_string(&file)?;
        ensure!(!text.contains("s3cret") && text.contains("12345678901234567890123"), "{text}");
        assert_eq!(hookway.ok(&["export", "--format", format]).await?.out, text, "the same each time");
        hookway.run(&["apply", &file, "--yes", "--prune"]).await?.ends(0, "nothing to do")?;
        let piped = ["apply", "-", "--format", format, "--dry-run", "--exit-code"];
        hookway.run_with(&piped, &text).await?.ends(0, "nothing to do")?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_exported_makes_the_same_configuration_elsewhere() -> Result<()> {
    let (gateway, receiver) = (with_plugins().await?, Receiver::start().await?);
    furnish(&gateway, &receiver).await?;
    let hookway = Hookway::of(&gateway);
    let source = declared(&gateway).await?;
    for format in ["toml", "yaml"] {
        let full = gateway.home().join(format!("full.{format}"));
        let full = full.to_str().context("a path of text")?;
        hookway.ok(&["export", "--output", full, "--with-header-values"]).await?;
        assert_eq!(fs::metadata(full)?.permissions().mode() & 0o777, 0o600);
        let fresh = with_plugins().await?;
        let there = Hookway::of(&fresh);
        let kept = hookway.ok(&["export", "--format", format]).await?.out;
        let kept = there.run_with(&["apply", "-", "--format", format, "--yes"], &kept).await?;
        kept.ends(1, "no value yet")?;
        there.ok(&["apply", full, "--yes"]).await?;
        let mut copy = declared(&fresh).await?;
        copy.sort_by_key(|endpoint| source.iter().position(|other| other["url"] == endpoint["url"]));
        assert_eq!(copy, source, "{}", fs::read_to_string(full)?);
        let secrets = fresh.client().get("/v1/endpoints?tenant=acme").await?.body.to_string();
        assert_eq!(secrets.matches(r#""type":"ed25519""#).count(), 1, "{secrets}");
        let exported = async |hookway: &Hookway| Ok::<_, anyhow::Error>(hookway.ok(&["export"]).await?.out);
        assert_eq!(exported(&there).await?, exported(&hookway).await?);
    }
    Ok(())
}

#[tokio::test]
async fn secrets_come_from_elsewhere_or_are_shown_once() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway).set("ACME_SECRET", SECRET);
    let home = scene.gateway.home();
    let base = scene.receiver.url("");
    let endpoints = format!(
        r#"
[[endpoints]]
url = "{base}/given"
topics = ["**"]
secrets = [{{ value = {{ env = "ACME_SECRET" }} }}, {{ value = {{ file = "old.secret" }}, expires_at = "2099-01-01T00:00:00Z" }}]
[[endpoints]]
url = "{base}/made"
topics = ["**"]
secrets = [{{ type = "ed25519" }}, {{}}]
"#
    );
    fs::write(home.join("old.secret"), "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n")?;
    let file = write(home, "a.toml", &endpoints)?;
    let out = home.join("made.ndjson");
    let out_path = out.to_str().context("a path of text")?;
    fs::write(&out, "")?;
    fs::set_permissions(&out, fs::Permissions::from_mode(0o644))?;
    hookway.run(&["apply", &file, "--yes", "--secrets-out", out_path]).await?.ends(1, "chmod 600")?;
    hookway.run(&["endpoint", "list"]).await?.ends(0, "nothing found")?;
    fs::remove_file(&out)?;
    let done = hookway.ok(&["apply", &file, "--yes", "--secrets-out", out_path]).await?;
    ensure!(!done.out.contains("whsec_") && !done.out.contains("whpk_"), "{done:?}");
    assert_eq!(fs::metadata(&out)?.permissions().mode() & 0o777, 0o600);
    let made = fs::read_to_string(&out)?;
    let made: Vec<Value> = made.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(made.len(), 2, "the given ones are known: {made:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ensure!(
        text(&made[0]["public_key"]).starts_with("whpk_") && text(&made[1]["value"]).starts_with("whsec_"),
        "{made:?}"
    );
    let given = hookway.rows(&["endpoint", "list"]).await?.remove(0);
    let again = ["secret", "add", given["id"].as_str().context("an id")?, "--value-from", "-"];
    hookway.run_with(&again, SECRET).await?.ends(1, "has this secret already")?;
    hookway.run(&["apply", &file, "--yes"]).await?.ends(0, "nothing to do")?;

    let shown = endpoints.replace(&base, &format!("{base}/2"));
    let shown = hookway.rows(&["apply", &write(home, "b.toml", &shown)?, "--yes"]).await?;
    ensure!(
        text(&shown[1]["secrets"][1]["value"]).starts_with("whsec_") && shown[0].get("secrets").is_none(),
        "{shown:?}"
    );
    let clear = format!("endpoints: [{{url: '{base}/3', topics: [a], secrets: [{{value: {SECRET}}}]}}]");
    let refused = hookway.run(&["apply", &write(home, "c.yaml", &clear)?, "--yes"]).await?;
    let refused = refused.ends(1, "a secret does not stand in this file")?;
    ensure!(!refused.err.contains(SECRET), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn the_key_of_a_tenant_declares_what_is_the_tenants() -> Result<()> {
    let scene = Scene::start().await?;
    let admin = Hookway::of(&scene.gateway);
    scene.endpoint("/theirs", json!({ "tenant": "globex" })).await?;
    let key = admin.json(&["key", "create", "--scope", "tenant:acme"]).await?;
    let acme = admin.clone().set("HOOKWAY_KEY", key["key"].as_str().context("a key")?);
    let endpoint = |path: &str, tenant: &str| {
        let url = scene.receiver.url(path);
        format!("[[endpoints]]\n{tenant}\nurl = '{url}'\ntopics = ['**']\n")
    };
    let one = endpoint("/a", "");
    let file = write(scene.gateway.home(), "a.toml", &one)?;
    acme.ok(&["apply", &file, "--yes"]).await?;
    assert_eq!(admin.rows(&["endpoint", "list", "--tenant", "acme"]).await?.len(), 1);
    acme.run(&["apply", &file, "--yes", "--prune"]).await?.ends(0, "nothing to do")?;
    let both = write(scene.gateway.home(), "b.toml", &format!("{one}{}", endpoint("/b", "tenant = 'acme'")))?;
    acme.ok(&["apply", &both, "--yes", "--prune"]).await?;
    acme.run_with(&["apply", "-", "--yes"], &endpoint("/c", "tenant = 'globex'")).await?.expect(4)?;
    let topic = "[[topics]]\ntopic = 'a'\n";
    acme.run_with(&["apply", "-", "--yes"], topic).await?.expect(4)?;
    let exported = acme.ok(&["export"]).await?;
    assert_eq!(exported.out.matches("[[endpoints]]").count(), 2, "{exported:?}");
    acme.run_with(&["apply", "-", "--dry-run", "--exit-code"], &exported.out)
        .await?
        .ends(0, "nothing to do")?;
    admin.run_with(&["apply", "-", "--yes", "--tenant", "initech"], &one).await?.expect(0)?;
    assert_eq!(admin.rows(&["endpoint", "list", "--tenant", "initech"]).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_state_is_changed_only_if_a_file_says_so() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let state =
        async || Ok::<_, anyhow::Error>(hookway.rows(&["endpoint", "list"]).await?[0]["state"].clone());
    let endpoint = |state: &str| {
        let url = scene.receiver.url("/a");
        format!("endpoints: [{{url: '{url}', topics: ['**']{state}}}]")
    };
    let apply =
        async |text: String| hookway.run_with(&["apply", "-", "--format", "yaml", "--yes"], &text).await;
    apply(endpoint(", state: inactive")).await?.expect(0)?.says("state")?;
    assert_eq!(state().await?, "inactive");
    apply(endpoint("")).await?.ends(0, "nothing to do")?;
    assert_eq!(state().await?, "inactive");
    apply(endpoint(", state: active")).await?.expect(0)?.says("\"inactive\" -> \"active\"")?;
    assert_eq!(state().await?, "active");
    Ok(())
}

#[tokio::test]
async fn the_example_of_the_documentation_is_one() -> Result<()> {
    let gateway = Setup::as_it_comes().start().await?;
    let example = workspace().join("docs/examples/configuration.toml");
    let example = example.to_str().context("a path of text")?;
    let hookway = Hookway::of(&gateway);
    hookway.run(&["apply", example, "--dry-run"]).await?.ends(1, "`ACME_TOKEN` is not set")?;
    let hookway = hookway.set("ACME_TOKEN", "Bearer 1");
    hookway
        .run(&["apply", example, "--yes"])
        .await?
        .expect(0)?
        .says("created the endpoint https://globex.example/hooks")?;
    hookway.run(&["apply", example, "--yes"]).await?.ends(0, "nothing to do")?;
    Ok(())
}

/// A stand-in that fails in the middle: the trial of both and the first creation are answered, the second is not.
#[tokio::test]
async fn what_stops_in_the_middle_says_how_far_it_came() -> Result<()> {
    let receiver = Receiver::start().await?;
    let hookway = Hookway::default().set("HOOKWAY_ADDRESS", &receiver.url("")).set("HOOKWAY_KEY", "hk_1");
    let list = |data: &[&str]| {
        Answer::status(200).body(format!(r#"{{"data":[{}],"next_cursor":null}}"#, data.join(",")))
    };
    let view = |n: u8, value: &str| {
        format!(
            r#"{{"id":"ep_{n}","tenant":"default","url":"https://{n}.example/","topics":["a"],"state":"active",
            "secrets":[{{"id":"sec_{n}","type":"hmac-sha256"{value}}}]}}"#
        )
    };
    let made = view(1, r#","value":"whsec_made""#);
    let problem =
        json!({ "status": 503, "detail": "the storage is not available now", "code": "unavailable" });
    let file = "endpoints: [{url: 'https://1.example', topics: [a]}, {url: 'https://2.example', topics: [a]}, \
                {url: 'https://3.example', topics: [a]}]";
    receiver.script("/v1/tenants", [list(&[])]);
    let ok = |text: String| Answer::status(200).body(text);
    let fails = Answer::status(503).body(problem.to_string());
    let first =
        [list(&[]), ok(view(1, "")), ok(view(2, "")), ok(view(3, "")), ok(made.clone()), fails.clone()];
    receiver.script("/v1/endpoints", first);
    let apply = ["apply", "-", "--format", "yaml", "--yes"];
    let ran = hookway.run_with(&apply, file).await?.ends(1, "1 of 3 changes are done")?;
    let ran = ran.ends(1, "stopped at the endpoint https://2.example/")?.ends(1, "not available")?;
    ran.says("whsec_made")?;
    assert_eq!(receiver.requests("/v1/endpoints").len(), 6, "nothing is tried after a failure");

    receiver.script(
        "/v1/endpoints",
        [list(&[]), ok(view(1, "")), ok(view(2, "")), ok(view(3, "")), ok(made), fails],
    );
    let rows = hookway.run_with(&[&apply[..], &["--json"]].concat(), file).await?.expect(1)?.rows()?;
    let done: Vec<_> = rows.iter().map(|row| row["done"] == true).collect();
    assert_eq!(done, [true, false, false], "{rows:?}");
    Ok(())
}

#[tokio::test]
async fn a_second_try_does_what_the_first_did_not_come_to() -> Result<()> {
    let scene = Scene::start().await?;
    let hookway = Hookway::of(&scene.gateway);
    let url = |n: u8| scene.receiver.url(&format!("/{n}"));
    // As after a stop in the middle: one of three is there, another is half way.
    scene.endpoint("/1", json!({})).await?;
    scene.endpoint("/2", json!({ "rate_limit": 5 })).await?;
    let file = format!(
        "endpoints: [{{url: '{}', topics: ['**']}}, {{url: '{}', topics: ['**'], rate_limit: 5, state: inactive}}, \
         {{url: '{}', topics: ['**']}}]",
        url(1),
        url(2),
        url(3)
    );
    let apply = ["apply", "-", "--format", "yaml", "--yes", "--json"];
    let rows = hookway.run_with(&apply, &file).await?.expect(0)?.rows()?;
    let done: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap_or_default()).collect();
    assert_eq!(done, ["change", "create"], "{rows:?}");
    assert_eq!(rows[0]["changes"], json!({ "state": { "old": "active", "new": "inactive" } }));
    hookway.run_with(&apply, &file).await?.ends(0, "nothing to do")?;
    Ok(())
}
