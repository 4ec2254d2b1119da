//! An earlier run beside this one: only ratios are compared, since machines and days differ.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_table::Table;

use crate::report::Results;

/// The change of each ratio that both runs have.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn table(file: &Path, now: &Results) -> Result<Table> {
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let before: Results =
        serde_json::from_slice(&text).with_context(|| format!("{} is no file of results", file.display()))?;
    let mut table = Table::new();
    table.set_header(["of the bare forwarder", "before", "now", "change"]);
    for (key, before, now) in pairs(&before.ratios, &now.ratios) {
        let change = (now / before - 1.0) * 100.0;
        table.add_row([
            key.to_owned(),
            format!("{before:.3}"),
            format!("{now:.3}"),
            format!("{change:+.1} %"),
        ]);
    }
    Ok(table)
}

fn pairs<'a>(
    before: &'a BTreeMap<String, f64>,
    now: &'a BTreeMap<String, f64>,
) -> impl Iterator<Item = (&'a str, f64, f64)> {
    before.iter().filter_map(|(key, before)| Some((key.as_str(), *before, *now.get(key)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_have_is_compared() {
        let before = BTreeMap::from([("a".to_owned(), 0.4), ("b".to_owned(), 0.5)]);
        let now = BTreeMap::from([("b".to_owned(), 0.6), ("c".to_owned(), 1.0)]);
        assert_eq!(pairs(&before, &now).collect::<Vec<_>>(), [("b", 0.5, 0.6)]);
    }
}
