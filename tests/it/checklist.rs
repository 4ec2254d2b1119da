//! The pages that promise something name the tests that show it. Those tests are there.

use std::fs;
use std::ops::RangeInclusive;

use anyhow::{Context, Result, ensure};
use hookway_tests::workspace;

/// The items that the page promises.
const ITEMS: &[RangeInclusive<u32>] = &[1..=24, 26..=48, 51..=60];

/// What every store has to do.
const RULES: &str = "host/src/store/conformance/";

/// A row of the table: its items, and `file::test` for each test that it names.
struct Row {
    items: Vec<u32>,
    tests: Vec<String>,
}

fn rows(page: &str) -> Vec<Row> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
        let items = cells.first()?.split(", ").map(|item| item.parse().ok()).collect::<Option<Vec<_>>>()?;
        let in_code = cells.last()?.split('`').skip(1).step_by(2);
        Some(Row { items, tests: in_code.map(str::to_owned).collect() })
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn every_test_that_the_checklist_names_exists() -> Result<()> {
    let rows = rows(&fs::read_to_string(workspace().join("docs/security.md"))?);
    for item in ITEMS.iter().cloned().flatten() {
        ensure!(rows.iter().any(|row| row.items.contains(&item)), "item {item} has no row");
    }
    for row in &rows {
        ensure!(!row.tests.is_empty(), "items {:?} name no test", row.items);
        row.tests.iter().try_for_each(|name| is_a_test(name))?;
    }
    Ok(())
}

#[test]
fn every_promise_names_tests_that_exist() -> Result<()> {
    let page = fs::read_to_string(workspace().join("docs/promises.md"))?;
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows: Vec<_> = rows.filter(|(promise, _)| *promise != "what holds").collect();
    ensure!(rows.len() >= 20, "the page has only {} rows", rows.len());
    for (promise, tests) in rows {
        let mut names = tests.split('`').skip(1).step_by(2).peekable();
        ensure!(names.peek().is_some(), "no test shows this: {promise}");
        names.try_for_each(is_a_test)?;
    }
    Ok(())
}

/// Whether `file::test` is one. A rule for every store is one if it stands in the list of them.
fn is_a_test(name: &str) -> Result<()> {
    let (file, test) = name.split_once("::").with_context(|| format!("`{name}` is no `file::test`"))?;
    let read =
        |file: &str| fs::read_to_string(workspace().join(file)).with_context(|| format!("no file {file}"));
    let text = read(file)?;
    if let Some(group) = file.strip_prefix(RULES).and_then(|file| file.strip_suffix(".rs")) {
        let listed = read(&format!("{RULES}mod.rs"))?.contains(&format!("{group}::{test},"));
        ensure!(listed, "`{test}` in {file} is no rule");
        return Ok(());
    }
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let heads = [format!("fn {test}("), format!("async fn {test}(")];
    let at = lines.iter().position(|line| heads.iter().any(|head| line.starts_with(head)));
    let at = at.with_context(|| format!("no test `{test}` in {file}"))?;
    let before = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    let mut attributes = before.map(|line| line.contains("test"));
    ensure!(attributes.any(|is_test| is_test), "`{test}` in {file} is no test");
    Ok(())
}
