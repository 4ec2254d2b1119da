//! What was set, name by name, so that a later reading can say what is different and whether that counts at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml::{Table, Value};

/// The settings that count as soon as they are read again: a section as a whole, or one of its settings. All others count from the next
/// start on.
const LIVE: [&str; 5] = ["deliver", "ingest", "lanes", "log.level", "retention"];

/// What was set and to what, without the defaults.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Given(BTreeMap<String, String>);

/// What is different in later settings, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What counts at once.
    pub live: Vec<String>,
    /// What counts from the next start on.
    pub later: Vec<String>,
}

impl Given {
    pub(super) fn new(table: &Table) -> Self {
        let mut all = BTreeMap::new();
        for (key, value) in table {
            let Value::Table(section) = value else {
                all.insert(key.clone(), value.to_string());
                continue;
            };
            all.extend(section.iter().map(|(name, value)| (format!("{key}.{name}"), value.to_string())));
        }
        Self(all)
    }

    /// What these say otherwise.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Changes {
        let names: BTreeSet<_> = self.0.keys().chain(later.0.keys()).collect();
        let changed = names.into_iter().filter(|name| self.0.get(*name) != later.0.get(*name)).cloned();
        let (live, later) = changed.partition(|name: &String| is_live(name));
        Changes { live, later }
    }

    /// These with what those say of the settings that count at once.
    #[must_use]
    pub fn with_live(&self, later: &Self) -> Self {
        let of =
            |given: &Self, live| given.0.clone().into_iter().filter(move |(name, _)| is_live(name) == live);
        Self(of(self, false).chain(of(later, true)).collect())
    }
}

fn is_live(name: &str) -> bool {
    LIVE.iter()
        .any(|live| name.strip_prefix(live).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Not the values: among them are keys.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Given {
        Given::new(&text.parse().unwrap())
    }

    #[test]
    fn what_changed_is_told_by_name_and_by_when_it_counts() {
        let before = given(
            "listen = \"a\"\n[log]\nlevel = \"info\"\n[ingest]\nmin_free_bytes = 1\n[store]\ncache_mib = 3",
        );
        let after = given(
            "listen = \"b\"\n[log]\nlevel = \"warn\"\nformat = \"json\"\n[ingest]\nmax_event_bytes = 5",
        );
        let changes = before.changes(&after);
        assert_eq!(changes.live, ["ingest.max_event_bytes", "ingest.min_free_bytes", "log.level"]);
        assert_eq!(changes.later, ["listen", "log.format", "store.cache_mib"]);
        let now = before.with_live(&after);
        assert_eq!(now.changes(&after), Changes { live: Vec::new(), later: changes.later });
        assert_eq!(before.changes(&before), Changes::default());
    }

    #[test]
    fn the_page_says_which_settings_count_at_once() {
        let page = include_str!("../../../docs/operations.md");
        let [first @ .., last] = LIVE.map(|name| format!("`{name}`"));
        let live = format!("{} and {last}", first.join(", "));
        assert!(page.contains(&format!("{live} count at once")), "{live}");
    }
}
