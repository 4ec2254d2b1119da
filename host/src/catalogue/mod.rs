//! The catalogue of topics in memory, and the only way to change it.
//!
//! It belongs to the gateway, not to a tenant. A change is durable and in force when its call returns: the next event is
//! held against it. Readers take a snapshot and never wait; writers go one after another. Schemas are compiled here, once
//! per change, off the async threads.

mod error;
mod known;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

pub use self::error::{CheckError, Error, Refusal};
pub use self::known::KnownTopic;
pub use self::schema::MAX_SCHEMA_BYTES;
use crate::model::{AuditEntry, Topic, TopicEntry};
use crate::store::{self, Store};

/// Topics in the catalogue: far more than people can read, and all of them are kept in memory.
pub const MAX_TOPICS: usize = 5000;

/// The topics by name. Immutable.
pub type Topics = BTreeMap<Topic, Arc<KnownTopic>>;

/// The catalogue. Clones share it.
#[derive(Clone)]
pub struct Catalogue {
    store: Arc<dyn Store>,
    topics: Arc<ArcSwap<Topics>>,
    writer: Arc<Mutex<()>>,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Topics that were not there.
    pub created: usize,
    /// Topics that were there with other content.
    pub updated: usize,
    /// Topics that were there with this content; nothing was written.
    pub unchanged: usize,
}

impl Catalogue {
    /// The catalogue of what is in the store.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, Error> {
        let known = known::load(store.topics().await?).await?;
        let topics = known.into_iter().map(|known| (known.entry().topic.clone(), known)).collect();
        Ok(Self { store, topics: Arc::new(ArcSwap::from_pointee(topics)), writer: Arc::default() })
    }

    /// A topic.
    #[must_use]
    pub fn get(&self, topic: &Topic) -> Option<Arc<KnownTopic>> {
        self.topics.load().get(topic).cloned()
    }

    /// All of them as they are now.
    #[must_use]
    pub fn topics(&self) -> Arc<Topics> {
        self.topics.load_full()
    }

    /// Adds a topic.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Full`], [`store::Error::TopicTaken`], and the store's.
    pub async fn create(&self, entry: TopicEntry, audit: AuditEntry) -> Result<Arc<KnownTopic>, Error> {
        let known = known::prepare_one(entry.clone()).await?;
        let _turn = self.writer.lock().await;
        let before = self.topics.load();
        if before.len() >= MAX_TOPICS && !before.contains_key(&entry.topic) {
            return Err(Error::Full);
        }
        self.store.create_topic(entry, audit).await?;
        self.put([Arc::clone(&known)]);
        Ok(known)
    }

    /// Changes a topic as it is now: nobody else changes it in between. A change that changes nothing writes nothing, not
    /// even its audit entry.
    ///
    /// # Errors
    /// [`store::Error::NotFound`], [`Error::Refused`], the store's, and those of `change`.
    pub async fn change<E: From<Error>>(
        &self,
        topic: &Topic,
        change: impl FnOnce(&TopicEntry) -> Result<(TopicEntry, AuditEntry), E>,
    ) -> Result<Arc<KnownTopic>, E> {
        let _turn = self.writer.lock().await;
        let before = self.get(topic).ok_or(Error::Store(store::Error::NotFound))?;
        let (after, audit) = change(before.entry())?;
        if after.clone().with_times_of(before.entry()) == *before.entry() {
            return Ok(before);
        }
        let known = known::prepare_one(after.clone()).await?;
        self.store.update_topic(after, audit).await.map_err(Error::from)?;
        self.put([Arc::clone(&known)]);
        Ok(known)
    }

    /// Deletes a topic as it is now. Events of it stay, and new ones are taken like those of any topic that is not in the
    /// catalogue.
    ///
    /// # Errors
    /// [`store::Error::NotFound`], the store's, and those of `audit`.
    pub async fn delete<E: From<Error>>(
        &self,
        topic: &Topic,
        audit: impl FnOnce(&TopicEntry) -> Result<AuditEntry, E>,
    ) -> Result<(), E> {
        let _turn = self.writer.lock().await;
        let before = self.get(topic).ok_or(Error::Store(store::Error::NotFound))?;
        let audit = audit(before.entry())?;
        self.store.delete_topic(topic.clone(), audit).await.map_err(Error::from)?;
        let mut topics = Topics::clone(&self.topics.load());
        topics.remove(topic);
        self.topics.store(Arc::new(topics));
        Ok(())
    }

    /// Adds or replaces topics, all or none. Those that are there with the same content are left alone; the others keep
    /// the time at which they were added. `audit` tells what to write down about each, from what was there.
    ///
    /// # Errors
    /// [`Error::Refused`] with the place of the entry among `entries`, [`Error::Full`], the store's, and those of `audit`.
    pub async fn import<E: From<Error>>(
        &self,
        entries: Vec<TopicEntry>,
        mut audit: impl FnMut(Option<&TopicEntry>, &TopicEntry) -> Result<AuditEntry, E>,
    ) -> Result<Imported, E> {
        let known = known::prepare(entries).await?;
        let _turn = self.writer.lock().await;
        let before = self.topics.load_full();
        let (imported, written) = compare(&before, known)?;
        let row = |known: &Arc<KnownTopic>| {
            let old = before.get(&known.entry().topic).map(|old| old.entry());
            Ok::<_, E>((known.entry().clone(), audit(old, known.entry())?))
        };
        let rows = written.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        if !rows.is_empty() {
            self.store.import_topics(rows).await.map_err(Error::from)?;
            self.put(written);
        }
        Ok(imported)
    }

    /// What an import would do now; nothing is written.
    ///
    /// # Errors
    /// [`Error::Refused`] with the place of the entry among `entries`, [`Error::Full`].
    pub async fn try_import(&self, entries: Vec<TopicEntry>) -> Result<Imported, Error> {
        let known = known::prepare(entries).await?;
        compare(&self.topics.load(), known).map(|(imported, _)| imported)
    }

    /// Called with `writer` held, so no other swap can come between the load and the store.
    fn put(&self, known: impl IntoIterator<Item = Arc<KnownTopic>>) {
        let mut topics = Topics::clone(&self.topics.load());
        topics.extend(known.into_iter().map(|known| (known.entry().topic.clone(), known)));
        self.topics.store(Arc::new(topics));
    }
}

/// What an import does to the topics `before`, and the entries that it writes.
fn compare(before: &Topics, known: Vec<Arc<KnownTopic>>) -> Result<(Imported, Vec<Arc<KnownTopic>>), Error> {
    let mut imported = Imported::default();
    let mut written = Vec::new();
    for known in known {
        match before.get(&known.entry().topic).map(|old| old.entry()) {
            Some(old) if known.entry().clone().with_times_of(old) == *old => imported.unchanged += 1,
            Some(old) => {
                imported.updated += 1;
                written.push(known.created_at(old.created_at));
            }
            None => {
                imported.created += 1;
                written.push(known);
            }
        }
    }
    if before.len() + imported.created > MAX_TOPICS {
        return Err(Error::Full);
    }
    Ok((imported, written))
}

#[cfg(test)]
mod tests;
