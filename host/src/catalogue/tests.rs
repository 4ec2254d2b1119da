//! The catalogue over a store in memory.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::clock::Clock;
use crate::model::{Actor, UnixMs};
use crate::store::AuditFilter;
use crate::store::redb::{Options, RedbStore};

const T0: UnixMs = UnixMs(1_710_513_000_000);
const LATER: UnixMs = UnixMs(1_710_513_001_000);

async fn catalogue() -> Catalogue {
    let options = Options { cache_mib: 16, linger_ms: 0 };
    let store = RedbStore::in_memory(Clock::starting_at(T0), &options);
    Catalogue::load(Arc::new(store)).await.unwrap()
}

fn entry(topic: &str) -> TopicEntry {
    TopicEntry::new(topic.parse().unwrap(), T0)
}

fn with_schema(topic: &str, schema: &str) -> TopicEntry {
    TopicEntry { schema: Some(schema.into()), ..entry(topic) }
}

fn audit(verb: &str) -> AuditEntry {
    AuditEntry::new(T0, Actor::Gateway, verb, "a")
}

async fn imported(catalogue: &Catalogue, entries: Vec<TopicEntry>) -> Result<Imported, Error> {
    let audit = |before: Option<&TopicEntry>, _: &TopicEntry| {
        Ok::<_, Error>(audit(if before.is_some() { "updated" } else { "created" }))
    };
    catalogue.import(entries, audit).await
}

async fn audited(catalogue: &Catalogue) -> Vec<String> {
    let rows = catalogue.store.audit(AuditFilter::default(), None, 100).await.unwrap().rows;
    rows.into_iter().rev().map(|row| row.entry.action).collect()
}

async fn check(catalogue: &Catalogue, topic: &str, data: &'static str) -> Result<(), CheckError> {
    catalogue.get(&topic.parse().unwrap()).unwrap().check(&Bytes::from_static(data.as_bytes())).await
}

#[tokio::test]
async fn a_schema_is_in_force_when_its_change_returns_and_after_a_restart() {
    let catalogue = catalogue().await;
    let object = with_schema("a", r#"{"type": "object"}"#);
    catalogue.create(object, audit("created")).await.unwrap();
    assert!(check(&catalogue, "a", "[]").await.is_err());
    let change = |before: &TopicEntry| {
        let schema = Some(Arc::from(r#"{"type": "array"}"#));
        Ok::<_, Error>((TopicEntry { schema, updated_at: LATER, ..before.clone() }, audit("updated")))
    };
    catalogue.change(&"a".parse().unwrap(), change).await.unwrap();
    let again = Catalogue::load(Arc::clone(&catalogue.store)).await.unwrap();
    for catalogue in [&catalogue, &again] {
        assert!(check(catalogue, "a", "[]").await.is_ok());
        let refused = check(catalogue, "a", "{}").await.unwrap_err();
        assert!(matches!(refused, CheckError::Mismatch(_)), "{refused}");
    }
    catalogue.delete(&"a".parse().unwrap(), |_| Ok::<_, Error>(audit("deleted"))).await.unwrap();
    assert!(catalogue.topics().is_empty());
    assert_eq!(audited(&catalogue).await, ["created", "updated", "deleted"]);
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let catalogue = catalogue().await;
    catalogue.create(entry("a"), audit("created")).await.unwrap();
    let touch = |before: &TopicEntry| {
        Ok::<_, Error>((TopicEntry { updated_at: LATER, ..before.clone() }, audit("updated")))
    };
    let after = catalogue.change(&"a".parse().unwrap(), touch).await.unwrap();
    assert_eq!(after.entry().updated_at, T0);
    assert_eq!(audited(&catalogue).await, ["created"]);
}

#[tokio::test]
async fn an_import_counts_what_it_did_and_keeps_when_a_topic_was_added() {
    let catalogue = catalogue().await;
    let first = imported(&catalogue, vec![entry("a"), with_schema("b", "true")]).await.unwrap();
    assert_eq!(first, Imported { created: 2, ..Imported::default() });
    let later = |entry| TopicEntry { created_at: LATER, updated_at: LATER, ..entry };
    let second =
        imported(&catalogue, vec![later(entry("a")), later(with_schema("b", "false")), later(entry("c"))]);
    assert_eq!(second.await.unwrap(), Imported { created: 1, updated: 1, unchanged: 1 });
    let times = |topic: &str| {
        let known = catalogue.get(&topic.parse().unwrap()).unwrap();
        (known.entry().created_at, known.entry().updated_at)
    };
    assert_eq!([times("a"), times("b"), times("c")], [(T0, T0), (T0, LATER), (LATER, LATER)]);
    assert!(check(&catalogue, "b", "1").await.is_err(), "the new schema is in force");
    assert_eq!(audited(&catalogue).await, ["created", "created", "updated", "created"]);
    let stored = catalogue.store.topics().await.unwrap();
    let in_memory: Vec<_> = catalogue.topics().values().map(|known| known.entry().clone()).collect();
    assert_eq!(stored, in_memory);
}

#[tokio::test]
async fn one_bad_entry_keeps_a_whole_import_out() {
    let catalogue = catalogue().await;
    let wrong_example = TopicEntry {
        examples: vec!["{}".into(), r#"{"a": [1, "x"]}"#.into()],
        ..with_schema("b", &json!({ "properties": { "a": { "items": { "type": "number" } } } }).to_string())
    };
    for (bad, pointer) in [
        (wrong_example, "/examples/1/a/1"),
        (with_schema("b", r##"{"not": {"$ref": "#"}}"##), "/schema/not/$ref"),
        (entry("hookway.endpoint.failed"), "/topic"),
        (entry("hookway"), "/topic"),
        (entry("a"), "/topic"),
    ] {
        let refused = imported(&catalogue, vec![entry("a"), bad]).await.unwrap_err();
        assert!(
            matches!(&refused, Error::Refused { index: 1, refusal } if refusal.pointer == pointer),
            "{refused:?}"
        );
    }
    assert!(catalogue.topics().is_empty() && catalogue.store.topics().await.unwrap().is_empty());
    assert!(audited(&catalogue).await.is_empty());
}

#[tokio::test]
async fn there_is_an_end_to_how_many_topics_there_are() {
    let catalogue = catalogue().await;
    let all = (0..MAX_TOPICS).map(|n| entry(&format!("t{n}"))).collect();
    imported(&catalogue, all).await.unwrap();
    assert!(matches!(imported(&catalogue, vec![entry("more")]).await, Err(Error::Full)));
    assert!(matches!(catalogue.create(entry("more"), audit("created")).await, Err(Error::Full)));
    let changed = TopicEntry { description: "new".to_owned(), ..entry("t1") };
    assert_eq!(imported(&catalogue, vec![changed]).await.unwrap().updated, 1);
    assert_eq!(catalogue.topics().len(), MAX_TOPICS);
}

#[tokio::test]
async fn a_stored_schema_that_is_taken_no_longer_refuses_its_events_and_not_the_start() {
    let options = Options { cache_mib: 16, linger_ms: 0 };
    let store = Arc::new(RedbStore::in_memory(Clock::starting_at(T0), &options));
    store.create_topic(with_schema("a", r##"{"$ref": "#"}"##), audit("created")).await.unwrap();
    let catalogue = Catalogue::load(store).await.unwrap();
    let refused = check(&catalogue, "a", "1").await.unwrap_err();
    assert!(refused.to_string().contains("cannot be used any more"), "{refused}");
}
