//! The catalogue of topics: cold rows of JSON, changed durably.

use redb::{ReadTransaction, ReadableTable as _};

use super::audit::Chain;
use super::codec;
use super::failure::Failure;
use super::schema::{TOPICS, Tables};
use super::writer::{Awaited, Batch, Change};
use crate::model::{AuditEntry, Topic, TopicEntry};
use crate::store::Error;

/// The verb.
pub(super) struct CreateTopic(pub(super) TopicEntry);

/// The verb.
pub(super) struct UpdateTopic(pub(super) TopicEntry);

/// The verb.
pub(super) struct DeleteTopic(pub(super) Topic);

/// The verb. It writes its audit rows itself, as there is one for each entry.
pub(super) struct ImportTopics(pub(super) Vec<(TopicEntry, AuditEntry)>);

impl Change for CreateTopic {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        if has(&batch.tables, &self.0.topic)? {
            return Err(Error::TopicTaken.into());
        }
        put(&mut batch.tables, &self.0)
    }
}

impl Change for UpdateTopic {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        if !has(&batch.tables, &self.0.topic)? {
            return Err(Error::NotFound.into());
        }
        put(&mut batch.tables, &self.0)
    }
}

impl Change for DeleteTopic {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        if !has(&batch.tables, &self.0)? {
            return Err(Error::NotFound.into());
        }
        batch.tables.topics.remove(self.0.as_str())?;
        Ok(())
    }
}

impl Change for ImportTopics {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let mut chain = Chain::end(&batch.tables)?;
        for (entry, audit) in &self.0 {
            put(&mut batch.tables, entry)?;
            chain.append(&mut batch.tables, audit)?;
        }
        Ok(())
    }
}

/// All of them, by name.
pub(super) fn all(transaction: &ReadTransaction) -> Result<Vec<TopicEntry>, Failure> {
    let rows = transaction.open_table(TOPICS)?;
    rows.iter()?.map(|row| Ok(codec::from_json("topics", row?.1.value())?)).collect()
}

fn has(tables: &Tables<'_>, topic: &Topic) -> Result<bool, Failure> {
    Ok(tables.topics.get(topic.as_str())?.is_some())
}

fn put(tables: &mut Tables<'_>, entry: &TopicEntry) -> Result<(), Failure> {
    tables.topics.insert(entry.topic.as_str(), codec::to_json(entry).as_slice())?;
    Ok(())
}
