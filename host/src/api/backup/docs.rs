//! What is said of backups.

use http::StatusCode;

use crate::backup::MEDIA;
use crate::openapi::refusal::BACKUP_RUNS;
use crate::openapi::{Access, Operation, Tag, text};

pub(in crate::api) fn create() -> Operation {
    Operation::new("create_backup", Tag::Gateway, Access::Admin, "Make a backup")
        .describe(
            "Answers with everything that the gateway keeps, as it is at this moment, while it goes on: the store, and the files of \
             plugins. Signing secrets are in it as they are stored, sealed; the key that sealed them is not, and neither is the \
             configuration. An answer without its last frame was cut off: `hookway backup` looks at that, and `hookway restore` makes a data \
             directory of it. There is one backup at a time, and it ends when the client hangs up.",
        )
        .refuse(&[BACKUP_RUNS])
        .answer(StatusCode::OK, "The backup", [text(MEDIA, "HOOKWAY BACKUP")])
}
