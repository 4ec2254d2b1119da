//! `POST /v1/backup`: everything that the gateway keeps, in one answer that goes on.

pub(super) mod docs;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::Api;
use crate::backup::MEDIA;
use crate::http::{Caller, Problem, in_parts};
use crate::model::AuditEntry;

/// Begins one.
pub(super) async fn create(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be_admin()?;
    let place = api.backups.enter().ok_or_else(another_runs)?;
    let audit = AuditEntry::new(api.clock.now(), caller.actor(), "backup.created", "backup");
    let mut parts = api.backups.start(place, audit).await?;
    let (sender, response) = in_parts(MEDIA);
    let shutdown = api.shutdown.clone();
    api.shutdown.spawn(async move {
        loop {
            let part = tokio::select! {
                part = parts.recv() => part,
                () = sender.closed() => None,
                () = shutdown.requested() => None,
            };
            let Some(part) = part else { return };
            // Whoever does not read must not keep the store open when it is to be closed.
            let is_sent = tokio::select! {
                sent = sender.send(part) => sent.is_ok(),
                () = shutdown.requested() => false,
            };
            if !is_sent {
                return;
            }
        }
    });
    Ok(response)
}

fn another_runs() -> Problem {
    let detail =
        "another backup is made, and there is one at a time: wait for its end, or end it by hanging up";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "backup_runs", detail)
}
