//! The OpenAPI document against the real server, and against the source.
//!
//! Every answer that any test gets is held against the document too: `contract`.

mod clients;
mod schemathesis;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hookway_tests::command::Hookway;
use hookway_tests::workspace;
use http::StatusCode;
use regex_lite::Regex;
use serde_json::Value;

use crate::scene::Scene;

/// What every path answers that has no such route, or not with this method: no operation has it.
const OF_NO_ROUTE: &str = "method_not_allowed";

#[tokio::test]
async fn the_command_prints_what_the_gateway_serves_without_a_key() -> Result<()> {
    let scene = Scene::start().await?;
    let served = scene.client.with_key(None).get("/openapi.json").await?.expect(StatusCode::OK)?.body;
    let printed: Value = serde_json::from_str(&Hookway::default().ok(&["openapi"]).await?.out)?;
    ensure!(served == printed, "the command prints another document");
    ensure!(
        served["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")),
        "{}",
        served["openapi"]
    );
    let page = scene.client.with_key(None).get("/docs").await?.expect(StatusCode::OK)?;
    ensure!(page.body.as_str().is_some_and(|page| page.starts_with("<!doctype html>")), "no page");
    Ok(())
}

#[tokio::test]
async fn every_code_in_the_source_is_in_the_document_and_the_other_way_round() -> Result<()> {
    let document: Value = serde_json::from_str(&Hookway::default().ok(&["openapi"]).await?.out)?;
    let examples = document["components"]["examples"].as_object().context("examples")?;
    let described: BTreeSet<String> = examples.keys().cloned().collect();
    let mut used = codes(&workspace().join("host/src"))?;
    ensure!(used.remove(OF_NO_ROUTE), "`{OF_NO_ROUTE}` is not in the source");
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    ensure!(
        used == described,
        "not described: {:?}, not used: {:?}",
        only(&used, &described),
        only(&described, &used)
    );
    Ok(())
}

/// The codes that problems are made with.
fn codes(folder: &Path) -> Result<BTreeSet<String>> {
    let maker = Regex::new(
        r#"(?:Problem|Self)::(?:new|conflict)\(\s*(?:(?:http::)?StatusCode::\w+,\s*)?"([a-z_]+)""#,
    )?;
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(codes(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let production = text.split("\n#[cfg(test)]\n").next().unwrap_or_default();
            found.extend(maker.captures_iter(production).map(|captures| captures[1].to_owned()));
        }
    }
    Ok(found)
}
