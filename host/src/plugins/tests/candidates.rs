//! Candidates beside live versions: compared, or deciding a share of the events, until they are promoted, discarded or too bad.

use std::time::Duration;

use tokio::time::timeout;

use super::guests::{filter, matcher};
use super::name;
use super::versions::{GOOD, Gateway, Home, TRAPS, asked, dropping, good};
use crate::json::Rehearsal;
use crate::model::{Percent, PluginOrigin, PluginRecord, PluginRun, PluginRunOutcome};
use crate::plugins::comparison::{Answered, Sameness};
use crate::plugins::{CandidateCounts, CandidateStatus, Decision, InstallError, NewManifest};

const EVENTS: u64 = 10_000;

fn percent(share: u64) -> Option<Percent> {
    Some(Percent::try_from(share).unwrap())
}

impl Gateway {
    async fn try_on(&self, component: &[u8], share: Option<Percent>) -> Result<(), InstallError> {
        let files = self.files(Some(component), NewManifest::AsItIs).await?;
        self.plugins.set_candidate(&name("p"), files, share, &asked()).await
    }

    async fn candidate(&self) -> CandidateStatus {
        self.plugins.candidate(&name("p")).await.unwrap()
    }

    /// What came of the candidate, once it is as wanted: comparing is the work of another task.
    async fn counts_when(&self, wanted: impl Fn(&CandidateCounts) -> bool) -> CandidateCounts {
        let counting = async {
            loop {
                let counts = self.candidate().await.counts;
                if wanted(&counts) {
                    return counts;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), counting).await.expect("the candidate is asked")
    }

    /// The numbers of the events that are dropped.
    async fn dropped(&self) -> Vec<u64> {
        let mut dropped = Vec::new();
        for number in 0..EVENTS {
            if matches!(self.judge(number).await, Decision::Drop { .. }) {
                dropped.push(number);
            }
        }
        dropped
    }
}

/// What each run said, and of which version.
fn said(runs: &[PluginRun]) -> Vec<(&str, bool)> {
    let is_failure = |run: &PluginRun| matches!(run.outcome, PluginRunOutcome::Failed(_));
    runs.iter().map(|run| (&*run.version, is_failure(run))).collect()
}

#[tokio::test]
async fn a_canary_decides_its_share_of_the_events_and_always_the_same_ones() {
    let home = Home::new();
    let gateway = home.start().await;
    let live = gateway.push(&filter(GOOD)).await.unwrap().version;
    gateway.try_on(&dropping(), percent(10)).await.unwrap();
    let canary = gateway.candidate().await.version.version;
    let first = gateway.dropped().await;
    assert!((800..1_200).contains(&first.len()), "{} of {EVENTS}", first.len());
    assert_eq!(gateway.candidate().await.counts.decided, first.len() as u64);
    assert_eq!(said(&gateway.runs(first[0]).await), [(canary.as_str(), false)]);
    let other = (0..EVENTS).find(|number| !first.contains(number)).unwrap();
    assert_eq!(said(&gateway.runs(other).await), [(live.as_str(), false)]);
    drop(gateway);

    let gateway = home.start().await;
    assert_eq!(gateway.dropped().await, first, "after a restart, too");
    gateway.plugins.change_candidate(&name("p"), percent(20), &asked()).await.unwrap();
    let more = gateway.dropped().await;
    assert!(more.len() > first.len() && first.iter().all(|number| more.contains(number)));
    gateway.plugins.change_candidate(&name("p"), None, &asked()).await.unwrap();
    assert_eq!(gateway.judge(first[0]).await, Decision::Send(None), "in shadow it decides nothing");
    let expected =
        ["plugin.installed", "plugin.candidate_set", "plugin.candidate_changed", "plugin.candidate_changed"];
    assert_eq!(home.actions(), expected);
}

#[tokio::test]
async fn where_a_canary_fails_the_live_version_decides_and_a_bad_one_is_tried_no_more() {
    let home = Home::new();
    let gateway = home.start().await;
    let live = gateway.push(&dropping()).await.unwrap().version;
    gateway.try_on(&filter(TRAPS), percent(100)).await.unwrap();
    let canary = gateway.candidate().await.version.version;
    for number in 0..5 {
        let runs = gateway.runs(number).await;
        assert_eq!(said(&runs), [(canary.as_str(), true), (live.as_str(), false)]);
    }
    let status = gateway.candidate().await;
    assert_eq!((status.counts.failed, status.counts.decided), (5, 0));
    let reason = status.ended.unwrap().reason;
    assert!(
        reason.contains("that the live version can judge") && reason.contains("`unreachable`"),
        "{reason}"
    );
    let example = &status.examples[0].comparison;
    assert!(matches!((&example.live, &example.candidate), (Answered::Drop { .. }, Answered::Fail { .. })));
    assert_eq!(said(&gateway.runs(6).await), [(live.as_str(), false)], "it is not asked any more");
    let is_ended =
        |record: &PluginRecord| record.candidate.as_ref().is_some_and(|candidate| candidate.ended.is_some());
    home.until("that is written down", is_ended).await;
    assert_eq!(home.actions().last().unwrap(), "plugin.candidate_ended");
    drop(gateway);

    let gateway = home.start().await;
    assert_eq!(said(&gateway.runs(7).await), [(live.as_str(), false)], "nor after a restart");
    assert_eq!(gateway.candidate().await.ended.unwrap().reason, reason);
    gateway.plugins.change_candidate(&name("p"), percent(100), &asked()).await.unwrap();
    assert_eq!(gateway.runs(8).await.len(), 2, "until somebody asks for it");
    assert_eq!(gateway.candidate().await.ended, None);
}

#[tokio::test]
async fn what_the_live_version_cannot_judge_either_is_not_held_against_a_canary() {
    let home = Home::new();
    let gateway = home.start().await;
    gateway.push(&filter(TRAPS)).await.unwrap();
    gateway.try_on(&filter("(nop) unreachable"), percent(100)).await.unwrap();
    for number in 0..4 {
        assert_eq!(gateway.runs(number).await.len(), 2);
    }
    assert_eq!(gateway.candidate().await.ended, None);
    // A preview asks it, too, and counts nothing.
    let before = gateway.candidate().await.counts;
    let preview = gateway.subject(9).rehearse(Rehearsal::Preview);
    assert_eq!(gateway.judgement(&preview).await.runs.len(), 2);
    assert_eq!(gateway.candidate().await.counts, before);
}

#[tokio::test]
async fn a_shadow_is_compared_and_decides_nothing() {
    let home = Home::new();
    let gateway = home.start().await;
    let live = gateway.push(&good(1)).await.unwrap().version;
    gateway.try_on(&good(2), None).await.unwrap();
    for number in 0..10 {
        assert_eq!(said(&gateway.runs(number).await), [(live.as_str(), false)]);
    }
    let counts = gateway.counts_when(|counts| counts.same == 10).await;
    assert_eq!(counts, CandidateCounts { same: 10, ..CandidateCounts::default() });
    gateway.try_on(&dropping(), None).await.unwrap();
    for number in 0..30 {
        assert_eq!(gateway.judge(number).await, Decision::Send(None));
    }
    gateway.counts_when(|counts| counts.different == 30).await;
    let examples = gateway.candidate().await.examples;
    assert_eq!(examples.len(), 20);
    assert_eq!(examples[0].event.as_str(), "evt_29", "the newest comes first");
    let comparison = &examples[0].comparison;
    assert_eq!(comparison.sameness, Sameness::Different);
    assert!(matches!(comparison.candidate, Answered::Drop { .. }));
    gateway.judgement(&gateway.subject(50).rehearse(Rehearsal::Preview)).await;
    // Whatever comes behind it is compared after it would have been.
    gateway.judge(51).await;
    assert_eq!(gateway.counts_when(|counts| counts.different >= 31).await.different, 31);

    gateway.try_on(&filter(TRAPS), None).await.unwrap();
    for number in 0..5 {
        assert_eq!(gateway.judge(number).await, Decision::Send(None));
    }
    gateway.counts_when(|counts| counts.failed == 5).await;
    let ended = gateway.candidate().await.ended;
    assert!(ended.is_some_and(|ended| ended.reason.contains("`unreachable`")));
}

#[tokio::test]
async fn comparisons_that_are_too_many_are_left_out_and_delay_nothing() {
    let home = Home::new();
    let gateway = home.start().await;
    gateway.push(&filter(GOOD)).await.unwrap();
    gateway.try_on(&filter("(loop (br 0)) unreachable"), None).await.unwrap();
    for number in 0..200 {
        assert_eq!(gateway.judge(number).await, Decision::Send(None));
    }
    let counts = gateway.counts_when(|counts| counts.skipped >= 100).await;
    assert_eq!(counts.same + counts.different + counts.failed, 0, "it is still busy with the first");
}

#[tokio::test]
async fn a_candidate_is_promoted_on_the_way_of_an_upload_or_discarded_without_a_trace() {
    let home = Home::new();
    let gateway = home.start().await;
    let first = gateway.push(&good(1)).await.unwrap().version;
    gateway.try_on(&dropping(), percent(50)).await.unwrap();
    assert_eq!(home.kept_files(), 2);
    let canary = gateway.candidate().await.version.version;
    let promoted = gateway.plugins.promote(&name("p"), &asked()).await.unwrap();
    assert_eq!((promoted.version, promoted.previous), (canary.clone(), Some(first)));
    assert_eq!(gateway.version(), Some(canary));
    assert_eq!(gateway.plugins.candidate(&name("p")).await, None);
    assert!(matches!(gateway.judge(1).await, Decision::Drop { .. }));
    assert_eq!(std::fs::read(home.file("p.wasm")).unwrap(), dropping());
    assert_eq!(home.origins(), [PluginOrigin::Promote, PluginOrigin::Upload]);
    assert!(matches!(gateway.plugins.promote(&name("p"), &asked()).await, Err(InstallError::NoCandidate)));

    gateway.try_on(&good(3), percent(100)).await.unwrap();
    assert_eq!(gateway.judge(1).await, Decision::Send(None));
    gateway.plugins.discard(&name("p"), &asked()).await.unwrap();
    assert!(matches!(gateway.judge(1).await, Decision::Drop { .. }));
    assert_eq!(home.kept_files(), 2);
    assert!(matches!(gateway.plugins.discard(&name("p"), &asked()).await, Err(InstallError::NoCandidate)));
    drop(gateway);
    let gateway = home.start().await;
    assert_eq!(gateway.plugins.candidate(&name("p")).await, None);
    assert_eq!(
        home.actions()[1..],
        ["plugin.candidate_set", "plugin.promoted", "plugin.candidate_set", "plugin.candidate_discarded"]
    );
}

#[tokio::test]
async fn a_candidate_whose_files_are_damaged_says_so_after_a_restart_and_can_be_discarded() {
    let home = Home::new();
    let gateway = home.start().await;
    gateway.push(&good(1)).await.unwrap();
    gateway.try_on(&dropping(), percent(100)).await.unwrap();
    let candidate = gateway.candidate().await.version;
    drop(gateway);
    std::fs::write(home.kept(&candidate.component), b"damaged").unwrap();
    let gateway = home.start().await;
    assert_eq!(gateway.judge(1).await, Decision::Send(None), "the live version decides");
    let reason = gateway.candidate().await.ended.unwrap().reason;
    assert!(reason.contains("could not be loaded") && reason.contains("damaged"), "{reason}");
    let changed = gateway.plugins.change_candidate(&name("p"), percent(1), &asked()).await;
    assert!(matches!(changed, Err(InstallError::NotLoaded)), "{changed:?}");
    gateway.plugins.discard(&name("p"), &asked()).await.unwrap();
    assert_eq!(gateway.plugins.candidate(&name("p")).await, None);
}

#[tokio::test]
async fn what_cannot_be_tried_is_refused_with_a_sentence() {
    let home = Home::new();
    let gateway = home.start().await;
    let refused = gateway.try_on(&good(1), None).await;
    assert!(matches!(refused, Err(InstallError::NotLive)), "{refused:?}");
    gateway.push(&good(1)).await.unwrap();
    for (component, word) in
        [(good(1), "is live"), (matcher(), "neither `filter` nor"), (b"hello".to_vec(), "not WebAssembly")]
    {
        let error = gateway.try_on(&component, percent(10)).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(gateway.plugins.candidate(&name("p")).await, None);
    assert_eq!(home.kept_files(), 1);
    let changed = gateway.plugins.change_candidate(&name("p"), None, &asked()).await;
    assert!(matches!(changed, Err(InstallError::NoCandidate)));
}

#[tokio::test]
async fn a_candidate_stays_while_the_live_version_changes_and_goes_when_it_is_that() {
    let home = Home::new();
    let gateway = home.start().await;
    gateway.push(&good(1)).await.unwrap();
    gateway.try_on(&dropping(), percent(100)).await.unwrap();
    gateway.push(&good(2)).await.unwrap();
    assert!(matches!(gateway.judge(1).await, Decision::Drop { .. }));
    assert!(gateway.plugins.candidate(&name("p")).await.is_some());
    gateway.push(&dropping()).await.unwrap();
    assert_eq!(gateway.plugins.candidate(&name("p")).await, None);
    let runs = gateway.runs(1).await;
    assert_eq!(said(&runs), [(gateway.version().unwrap().as_str(), false)]);
}
