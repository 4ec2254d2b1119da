//! Rules of the catalogue of topics.

use super::fixtures::{T0, at, audit};
use crate::model::TopicEntry;
use crate::store::{AuditFilter, Error, Store};

fn entry(topic: &str) -> TopicEntry {
    TopicEntry {
        description: "when \"it\" happens".to_owned(),
        use_cases: vec!["Telling somebody.".to_owned()],
        available_for: vec!["Sellers".to_owned()],
        examples: vec![r#"{"b": 1.00,  "a": 123456789012345678901234567890}"#.into(), "null".into()],
        schema: Some(r#"{ "type" : ["object", "null"] }"#.into()),
        ..TopicEntry::new(topic.parse().unwrap(), T0)
    }
}

async fn actions(store: &dyn Store) -> Vec<String> {
    let rows = store.audit(AuditFilter::default(), None, 100).await.unwrap().rows;
    rows.into_iter().rev().map(|row| row.entry.action).collect()
}

pub(crate) async fn topics_are_read_back_as_they_were_written_by_name(store: &dyn Store) {
    let [b, a] = ["b/c", "a"].map(entry);
    for one in [&b, &a] {
        store.create_topic(one.clone(), audit("topic.created")).await.unwrap();
    }
    assert_eq!(store.topics().await.unwrap(), [a, b]);
}

pub(crate) async fn a_topic_is_created_once_and_changed_or_deleted_while_it_is_there(store: &dyn Store) {
    let first = entry("a");
    store.create_topic(first.clone(), audit("1")).await.unwrap();
    let again = store.create_topic(entry("a"), audit("refused")).await;
    assert!(matches!(again, Err(Error::TopicTaken)));
    let changed = TopicEntry { description: String::new(), updated_at: at(1), ..first };
    store.update_topic(changed.clone(), audit("2")).await.unwrap();
    assert_eq!(store.topics().await.unwrap(), [changed]);
    store.delete_topic("a".parse().unwrap(), audit("3")).await.unwrap();
    assert!(store.topics().await.unwrap().is_empty());
    let late = store.update_topic(entry("a"), audit("refused")).await;
    assert!(matches!(late, Err(Error::NotFound)));
    let late = store.delete_topic("a".parse().unwrap(), audit("refused")).await;
    assert!(matches!(late, Err(Error::NotFound)));
    assert_eq!(actions(store).await, ["1", "2", "3"]);
}

pub(crate) async fn an_import_adds_and_replaces_with_an_audit_row_for_each(store: &dyn Store) {
    store.create_topic(entry("a"), audit("created")).await.unwrap();
    let changed = TopicEntry { schema: None, ..entry("a") };
    let import = vec![(changed.clone(), audit("a")), (entry("b"), audit("b"))];
    store.import_topics(import).await.unwrap();
    assert_eq!(store.topics().await.unwrap(), [changed, entry("b")]);
    assert_eq!(actions(store).await, ["created", "a", "b"]);
    let chain = store.verify_audit().await.unwrap();
    assert_eq!((chain.rows, chain.broken_at), (3, None));
    store.import_topics(Vec::new()).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap().rows, 3);
}
