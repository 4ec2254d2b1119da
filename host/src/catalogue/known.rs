//! A topic of the catalogue with its compiled schema.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::schema::Schema;
use super::{CheckError, Error, Refusal};
use crate::model::{TopicEntry, UnixMs};

/// A topic of the catalogue. Immutable.
#[derive(Debug)]
pub struct KnownTopic {
    entry: TopicEntry,
    /// Compiled, or why not, for one that an earlier version took.
    schema: Option<Result<Arc<Schema>, Refusal>>,
}

impl KnownTopic {
    /// The entry, if its schema can be used and its examples satisfy it.
    fn new(entry: TopicEntry) -> Result<Self, Refusal> {
        if entry.topic.is_reserved() {
            let reason = "topics whose first segment is `hookway` are those of the gateway itself; choose another name";
            return Err(Refusal::new("/topic", reason));
        }
        let known = Self::stored(entry);
        if let Some(schema) = &known.schema {
            let schema = schema.as_ref().map_err(|refusal| refusal.clone().inside("/schema"))?;
            for (index, example) in known.entry.examples.iter().enumerate() {
                let place = format!("/examples/{index}");
                schema.check(example.as_bytes()).map_err(|refusal| refusal.inside(&place))?;
            }
        }
        Ok(known)
    }

    /// The entry as it was stored.
    fn stored(entry: TopicEntry) -> Self {
        let schema = entry.schema.as_deref().map(|text| Schema::compile(text).map(Arc::new));
        Self { entry, schema }
    }

    /// What people wrote about it.
    #[must_use]
    pub const fn entry(&self) -> &TopicEntry {
        &self.entry
    }

    /// The same topic, added at another time.
    pub(super) fn created_at(&self, created_at: UnixMs) -> Arc<Self> {
        let entry = TopicEntry { created_at, ..self.entry.clone() };
        Arc::new(Self { entry, schema: self.schema.clone() })
    }

    /// Whether `data`, a JSON text, satisfies the schema. Without a schema this costs nothing; what may take longer than a
    /// moment is checked off the async threads.
    ///
    /// # Errors
    /// [`CheckError::Mismatch`] with the place that does not satisfy it.
    pub async fn check(&self, data: &Bytes) -> Result<(), CheckError> {
        let schema = match &self.schema {
            None => return Ok(()),
            Some(Ok(schema)) => schema,
            Some(Err(refusal)) => return Err(unusable(refusal).into()),
        };
        if schema.is_quick(data.len()) {
            return Ok(schema.check(data)?);
        }
        let (schema, data) = (Arc::clone(schema), data.clone());
        Ok(spawn_blocking(move || schema.check(&data)).await??)
    }
}

fn unusable(refusal: &Refusal) -> Refusal {
    let reason = format!(
        "the schema of this topic cannot be used any more, at `{}`: {refusal}; change it with `PATCH /v1/topics/{{topic}}`",
        refusal.pointer
    );
    Refusal::new("", reason)
}

/// Compiles what is stored. Nothing is refused here: a start must not fail for one topic.
pub(super) async fn load(entries: Vec<TopicEntry>) -> Result<Vec<Arc<KnownTopic>>, Error> {
    let compile = || entries.into_iter().map(KnownTopic::stored).map(Arc::new).collect();
    Ok(spawn_blocking(compile).await?)
}

/// Compiles what comes in, off the async threads: a schema takes up to some milliseconds.
pub(super) async fn prepare(entries: Vec<TopicEntry>) -> Result<Vec<Arc<KnownTopic>>, Error> {
    let compile = move || {
        let mut seen = HashSet::new();
        let known = entries.into_iter().enumerate().map(|(index, entry)| {
            let refused = |refusal| Error::Refused { index, refusal };
            if !seen.insert(entry.topic.clone()) {
                return Err(refused(Refusal::new("/topic", "this topic is there twice; name each once")));
            }
            KnownTopic::new(entry).map(Arc::new).map_err(refused)
        });
        known.collect()
    };
    spawn_blocking(compile).await?
}

/// The same for one.
pub(super) async fn prepare_one(entry: TopicEntry) -> Result<Arc<KnownTopic>, Error> {
    let compile = move || KnownTopic::new(entry).map_err(|refusal| Error::Refused { index: 0, refusal });
    spawn_blocking(compile).await?.map(Arc::new)
}
