//! What a fuzzer feeds: for each reader of what others send, or of what lies on a disk, a function that takes any bytes. It panics
//! if what is read of them is not what it has to be.
//!
//! No part of the gateway: the tests here feed it with seeds and with damaged copies of them, and the feature `fuzzing` shows it to
//! others that do.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::filter::Filter;
use crate::json::Subject;
use crate::model::{
    Endpoint, EndpointId, EnvelopeCache, Event, EventKey, TenantId, Topic, TopicPattern, UnixMs,
};
use crate::plugins::{self, Manifest};
use crate::{backup, deliver, ingest, store};

/// A reader, by its name: that of the folder of its seeds in `fuzz/corpus`.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("backup", backup::fuzzing::backup),
    ("filter", filter),
    ("ingest", ingest::fuzzing::bodies),
    ("manifest", manifest),
    ("retry_after", deliver::fuzzing::retry_after),
    ("stored_rows", store::redb::fuzzing::rows),
    ("target_url", deliver::fuzzing::target_url),
    ("topic_pattern", topic_pattern),
    ("write_ahead_log", store::redb::fuzzing::write_ahead_log),
];

/// Feeds the target of this name.
///
/// # Panics
/// There is none, or it finds something.
pub fn feed(target: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, feed) = found.unwrap_or_else(|| panic!("no target is called `{target}`"));
    feed(bytes);
}

/// A line that is a filter, and an event's `data`.
fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (filter, data) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(parsed) = Filter::parse(filter) else { return };
    if serde_json::from_str::<IgnoredAny>(data).is_err() {
        return;
    }
    let url = "https://example.com/hook".parse().expect("it is a URL");
    let endpoint = Endpoint::new(EndpointId::new(UnixMs(1), 1), TenantId::default(), url, UnixMs(1));
    let subject = Subject::new(Arc::new(event(data)));
    let verdict = parsed.judge(&subject, &endpoint);
    assert_eq!(verdict.is_ok(), parsed.judge(&subject, &endpoint).is_ok(), "it changes its mind");
}

fn event(data: &str) -> Event {
    let key = EventKey::new(UnixMs(1), 1);
    Event {
        key,
        id: key.into(),
        tenant: TenantId::default(),
        topic: "orders/created".parse().expect("it is a topic"),
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        accepted_at: UnixMs(1),
        data: Bytes::copy_from_slice(data.as_bytes()),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    }
}

/// The manifest of a plugin.
fn manifest(bytes: &[u8]) {
    if let Err(error) = Manifest::parse("plugin.toml", bytes, &plugins::Options::default()) {
        assert!(!error.to_string().is_empty(), "it is refused without a reason");
    }
}

/// A line that is a pattern, and one that is a topic.
fn topic_pattern(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (pattern, topic) = text.split_once('\n').unwrap_or((text, text));
    let (pattern, topic) = (pattern.parse::<TopicPattern>(), topic.parse::<Topic>());
    if let Ok(pattern) = &pattern {
        assert_eq!(pattern.to_string().parse().as_ref(), Ok(pattern), "its text is another pattern");
    }
    if let Ok(topic) = &topic {
        let itself: TopicPattern = topic.as_str().parse().expect("a topic is a pattern");
        assert!(itself.matches(topic), "a topic does not match itself");
        assert!(pattern.is_err() || "**".parse::<TopicPattern>().is_ok_and(|all| all.matches(topic)));
    }
    if let (Ok(pattern), Ok(topic)) = (pattern, topic) {
        let _ = pattern.matches(&topic);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    /// The seeds of a target; those that are no text are written as hex digits.
    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let read = |path: &Path| {
            let bytes = std::fs::read(path).unwrap();
            if path.extension().is_some_and(|extension| extension == "hex") {
                from_hex(&bytes)
            } else {
                bytes
            }
        };
        files.map(|file| read(&file.unwrap().path())).collect()
    }

    fn from_hex(digits: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(digits).unwrap().trim();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn every_target_has_seeds_and_survives_them() {
        for (target, feed) in TARGETS {
            let seeds = seeds(target);
            assert!(!seeds.is_empty(), "{target}");
            seeds.iter().for_each(|seed| feed(seed));
        }
    }

    proptest! {
        /// Seeds with some bytes cut out, put in and changed: a little of what a fuzzer does, wherever tests run.
        #[test]
        fn every_target_survives_seeds_that_are_damaged(
            target in prop::sample::select(TARGETS.to_vec()),
            which: prop::sample::Index,
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, any::<Vec<u8>>()), 0..4),
        ) {
            let (name, feed) = target;
            let seeds = seeds(name);
            let mut bytes = seeds[which.index(seeds.len())].clone();
            for (at, length, with) in cuts {
                let at = at.index(bytes.len() + 1);
                let end = (at + length).min(bytes.len());
                bytes.splice(at..end, with.into_iter().take(4));
            }
            feed(&bytes);
        }
    }
}
