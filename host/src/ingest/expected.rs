//! Whether an event is what the catalogue says of its topic.

use http::StatusCode;

use super::{Ingest, UnknownTopics};
use crate::catalogue::CheckError;
use crate::http::Problem;
use crate::store::NewEvent;

impl Ingest {
    /// Lets pass what the catalogue does not forbid. For a topic without a schema this is one look into a map.
    ///
    /// # Errors
    /// 422 `schema_mismatch` with the pointer of what does not satisfy the schema, 422 `unknown_topic` if such topics are
    /// refused.
    pub(super) async fn expects(&self, event: &NewEvent) -> Result<(), Problem> {
        let Some(known) = self.catalogue.get(&event.topic) else {
            return match self.options.load().unknown_topics {
                UnknownTopics::Allow => Ok(()),
                UnknownTopics::Refuse => Err(unknown(event)),
            };
        };
        known.check(&event.data).await.map_err(|error| match error {
            CheckError::Mismatch(refusal) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "schema_mismatch", refusal.reason)
                    .at(format!("/data{}", refusal.pointer))
            }
            CheckError::Aborted(_) => Problem::internal(&error),
        })
    }
}

fn unknown(event: &NewEvent) -> Problem {
    let detail = format!(
        "the topic `{}` is not in the catalogue, and others are refused here; add it with `POST /v1/topics`, or set \
         `ingest.unknown_topics = \"allow\"`",
        event.topic
    );
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_topic", detail).at("/event")
}
