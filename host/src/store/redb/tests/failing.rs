//! The n-th operation of a disk fails, for each n until none does: nothing panics, nothing that was promised is lost, whoever called
//! is told, and nothing is acknowledged any more.

use super::workload::{LOG, TABLES, Workload, open};
use super::*;
use crate::store::redb::faults::{History, Kind};
use crate::store::redb::open::told;

const SEED: u64 = 0x5eed;
const STEPS: usize = 14;

/// What came of a workload on disks of which an operation fails.
enum Came {
    /// To its end.
    ToItsEnd,
    /// The store was not opened.
    NotOpened(Error),
    /// So far.
    SoFar(Box<Workload>, Error),
}

async fn work(disks: &[Disk]) -> Came {
    let mut workload = match Workload::begin(disks.to_vec(), History::default(), SEED) {
        Ok(workload) => workload,
        Err(error) => return Came::NotOpened(error),
    };
    let done = workload.go_on(STEPS).await;
    match done.and_then(|()| workload.store().close()) {
        Ok(()) => Came::ToItsEnd,
        Err(error) => Came::SoFar(Box::new(workload), error),
    }
}

/// Whether it says that a disk failed. Of what fails while it closes redb says only that there was something.
fn is_of_a_disk(error: &Error) -> bool {
    let told = told(error);
    ["the disk is broken", "Previous I/O error"].iter().any(|said| told.contains(said))
        || matches!(error, Error::Closed)
}

async fn check_each(of: usize, kind: Kind) -> usize {
    for operations in 0.. {
        let disks = [Disk::default(), Disk::default()];
        disks[of].fail_once_after(kind, operations);
        let place = format!("{kind:?} {operations} of disk {of}");
        match work(&disks).await {
            Came::ToItsEnd => {
                assert!(!disks[of].has_failed(), "{place}: nobody was told");
                return operations;
            }
            Came::NotOpened(error) => {
                assert!(told(&error).contains("the disk is broken"), "{place}: {}", told(&error));
            }
            Came::SoFar(workload, error) => {
                assert!(disks[of].has_failed(), "{place}: {}", told(&error));
                let store = workload.store();
                // The disk works again, and all the same nothing is promised on it.
                let after = store.accept(vec![new_event()]).await.unwrap_err();
                assert!(!store.is_writable(), "{place}");
                assert!(matches!(after, Error::Closed), "{place}: {}", told(&after));
                assert!(is_of_a_disk(&error), "{place}: {}", told(&error));
                let images = [
                    [disks[TABLES].after_power_loss(), disks[LOG].after_power_loss()],
                    [disks[TABLES].after_kill(), disks[LOG].after_kill()],
                ];
                let promises = workload.stop();
                for image in images {
                    let reopened = open(&image.map(Disk::holding))
                        .unwrap_or_else(|error| panic!("{place}: {}", told(&error)));
                    assert_eq!(promises.broken(&reopened, usize::MAX), Vec::<String>::new(), "{place}");
                    accept(&reopened, new_event()).await;
                }
            }
        }
    }
    unreachable!("the loop ends when nothing fails")
}

#[tokio::test]
async fn whichever_operation_on_the_tables_fails_nothing_promised_is_lost() {
    let mut fired = Vec::new();
    for kind in [Kind::Sync, Kind::Write, Kind::SetLen, Kind::Read] {
        fired.push(check_each(TABLES, kind).await);
    }
    assert!(fired[0] > 10 && fired[1] > 50 && fired[2] > 0, "{fired:?}");
}

#[tokio::test]
async fn whichever_operation_on_the_log_fails_nothing_promised_is_lost() {
    let mut fired = Vec::new();
    for kind in [Kind::Sync, Kind::Write, Kind::SetLen, Kind::Read] {
        fired.push(check_each(LOG, kind).await);
    }
    assert!(fired[0] > 2 && fired[1] > 2 && fired[2] > 0, "{fired:?}");
}
