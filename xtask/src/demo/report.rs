//! The end of the demo: a table, and commands to try.

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use hookway_tests::gateway::Gateway;

use super::endpoints::Shown;
use super::receiver::Inbox;
use super::story::Row;
use crate::tools::step;

const HEADER: [&str; 8] =
    ["endpoint", "sent", "matched", "delivered", "filtered", "transformed", "p50 latency", "p99 latency"];

/// Prints what became of the events.
pub(super) fn print(rows: &[Row], inbox: &Inbox) -> Result<()> {
    println!("\n{}", table(rows));
    println!("latency: from just before the POST of an event until the receiver has read its delivery");
    println!("{} requests arrived, every one with a valid signature\n", inbox.count_verified()?);
    Ok(())
}

/// Prints commands that work against this gateway.
pub(super) fn print_commands(gateway: &Gateway, endpoints: &[Shown], keep: bool) {
    if keep {
        step("try these:");
    } else {
        step(
            "run `cargo xtask demo --keep` to leave the gateway running, and try these with its address and key:",
        );
    }
    for (why, command) in commands(&gateway.base(), gateway.key(), endpoints) {
        println!("    # {why}\n    {command}");
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(HEADER);
    for row in rows {
        let counts =
            [row.sent, row.tally.matched, row.tally.delivered, row.tally.filtered, row.tally.transformed];
        let mut cells = vec![row.endpoint.to_owned()];
        cells.extend(counts.map(|count| count.to_string()));
        cells.extend([50, 99].map(|percent| row.latencies.percentile(percent).to_string()));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn commands(base: &str, key: &str, endpoints: &[Shown]) -> Vec<(&'static str, String)> {
    let curl = r#"curl -sS -H "Authorization: Bearer $KEY""#;
    let filtered = endpoints.get(1).map(|shown| shown.id.as_str()).unwrap_or_default();
    let order = r#"{"event":"orders/created","data":{"order_id":"ord_1","items":3}}"#;
    let mistake = r#"{"event":"orders//created","data":1}"#;
    vec![
        ("first", format!("export HOOKWAY={base} KEY={key}")),
        ("an order", format!("{curl} $HOOKWAY/v1/events --json '{order}'")),
        ("what became of the order of the example", format!("{curl} $HOOKWAY/v1/events/evt_a1b2c3d4")),
        (
            "what the filter dropped, and why",
            format!("{curl} \"$HOOKWAY/v1/deliveries?endpoint={filtered}&status=filtered&limit=3\""),
        ),
        ("the plugins and their versions", format!("{curl} $HOOKWAY/v1/plugins")),
        (
            "a mistake, and what the gateway says to it",
            format!("{curl} $HOOKWAY/v1/events --json '{mistake}'"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::demo::story::Tally;

    #[test]
    fn the_table_has_a_line_per_endpoint() {
        let tally = Tally { matched: 330, delivered: 200, filtered: 130, transformed: 0, waiting: 0 };
        let latencies = [Duration::from_millis(4)].into_iter().collect();
        let text = table(&[Row { endpoint: "/public-only", sent: 330, tally, latencies }]);
        let line = text.lines().find(|line| line.contains("/public-only")).unwrap();
        let cells: Vec<_> = line.split(['│', '┆']).map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, ["/public-only", "330", "330", "200", "130", "0", "4.0 ms", "4.0 ms"]);
    }

    #[test]
    fn commands_are_ready_to_paste() {
        let shown = ["/a", "/b"].map(|path| Shown { path, id: format!("ep{path}") });
        let commands = commands("http://127.0.0.1:1", "hk_x", &shown);
        assert_eq!(commands[0].1, "export HOOKWAY=http://127.0.0.1:1 KEY=hk_x");
        assert!(commands.len() >= 4);
        for (_, command) in &commands[1..] {
            assert!(command.starts_with("curl -sS -H \"Authorization: Bearer $KEY\" "), "{command}");
            assert_eq!(command.matches('\'').count() % 2, 0, "{command}");
        }
        assert!(commands[3].1.contains("endpoint=ep/b&status=filtered"));
    }
}
