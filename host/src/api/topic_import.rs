//! A whole catalogue at once: from a request, or from the file that a start reads.

use super::audited;
use super::topic_file::FileFormat;
use crate::catalogue::{Catalogue, Error, Imported};
use crate::http::Problem;
use crate::model::{Actor, TopicEntry, UnixMs};

/// The topics in the text of a file.
///
/// # Errors
/// 400 or 422, with the pointer of what cannot be taken.
pub fn read_topics(format: FileFormat, text: &str, at: UnixMs) -> Result<Vec<TopicEntry>, Problem> {
    let topics = format.read(text)?.into_iter().enumerate();
    topics.map(|(index, input)| input.into_entry(at).map_err(|problem| inside(problem, index))).collect()
}

/// Adds or replaces these topics, all or none. What is there with the same content stays as it is.
///
/// # Errors
/// 422 with the pointer of what cannot be taken, 409 if the catalogue would be too large, 503 from the store.
pub async fn import_topics(
    catalogue: &Catalogue,
    entries: Vec<TopicEntry>,
    actor: Actor,
    at: UnixMs,
) -> Result<Imported, Problem> {
    let audit = |before: Option<&TopicEntry>, after: &TopicEntry| {
        let verb = if before.is_some() { "updated" } else { "created" };
        audited::entry((at, actor.clone()), verb, after, [before, Some(after)]).map_err(Refused::Problem)
    };
    catalogue.import(entries, audit).await.map_err(Refused::into_problem)
}

/// What that would do; nothing is changed.
///
/// # Errors
/// The same, but for those of the store.
pub(super) async fn try_import(catalogue: &Catalogue, entries: Vec<TopicEntry>) -> Result<Imported, Problem> {
    catalogue.try_import(entries).await.map_err(|error| Refused::Catalogue(error).into_problem())
}

/// Why an import did not happen: an entry of the catalogue still lacks its place in the file.
enum Refused {
    Problem(Problem),
    Catalogue(Error),
}

impl Refused {
    fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Catalogue(Error::Refused { index, refusal }) => {
                inside(Problem::invalid(refusal.pointer, refusal.reason), index)
            }
            Self::Catalogue(error) => error.into(),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Catalogue(error)
    }
}

/// The problem with its place in the file.
fn inside(problem: Problem, index: usize) -> Problem {
    let pointer = problem.pointer().unwrap_or_default().to_owned();
    problem.at(format!("/topics/{index}{pointer}"))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { refusal, .. } => Self::invalid(refusal.pointer, refusal.reason),
            Error::Full => Self::conflict("catalogue_full", error.to_string()),
            Error::Aborted(_) => Self::internal(&error),
            Error::Store(error) => error.into(),
        }
    }
}
