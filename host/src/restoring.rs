//! `hookway restore`: settings and a backup -> a data directory.

use std::io::Write as _;

use hookway::backup::{self, Destination};
use hookway::clock::Clock;
use hookway::store::redb::RedbStore;
use hookway::vault;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::RestoreArgs;
use crate::private_files;

/// Restores a backup and says what to do next.
pub(crate) fn run(args: RestoreArgs) -> Result<(), Box<dyn std::error::Error>> {
    private_files::make_private();
    let RestoreArgs { source, settings, replace, paused } = args;
    let settings = settings.sources().read()?;
    let now = Clock::system().wall();
    let store = settings.data_dir.join("hookway.redb");
    RedbStore::check_unused(&store)?;
    let destination = Destination {
        data: settings.data_dir.clone(),
        plugins: settings.plugins_dir(),
        versions: settings.plugin_versions_dir(),
        may_be_there: vec![settings.secrets.keys_file(&settings.data_dir)],
        aside: replace.then(|| settings.data_dir.join(format!("replaced-{}", now.0))),
        paused: paused.then_some(now),
    };
    let bar = bar();
    let restored = backup::restore(&source, &destination, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let restored = restored?;
    let mut out = std::io::stdout();
    let events = restored.manifest.tables.get("events").copied().unwrap_or(0);
    let (created_at, data) = (&restored.manifest.created_at, settings.data_dir.display());
    writeln!(out, "{data} is as it was at {created_at}: {events} events")?;
    if paused {
        writeln!(out, "all endpoints are inactive: nothing is sent until they are activated")?;
    } else {
        writeln!(
            out,
            "deliveries that had not arrived then are sent at the next start, also those that have arrived since, under the same \
             webhook-id"
        )?;
    }
    let keys = vault::load(&settings.secrets, &settings.data_dir)?;
    if let Err(error) = RedbStore::check_keys(&restored.store, &keys.vault, &settings.store) {
        writeln!(out, "before the next start, put the key back that sealed the signing secrets: {error}")?;
    }
    Ok(())
}

/// A bar on standard error; nothing where no terminal is.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("restore {bar:40} {percent} %, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
