//! What Hookway sends is verified by the Standard Webhooks libraries of PyPI and npm, which share no code with it.
//!
//! The payloads are drawn from a seed that is printed: `HOOKWAY_TEST_SEED` repeats a run.

mod payloads;
mod stream;

use std::collections::HashMap;
use std::env;

use anyhow::{Context, Result, ensure};
use hookway_tests::receiver::Received;
use hookway_tests::verifiers::{Check, Library, Summary, Verifiers};
use http::StatusCode;
use rand::RngExt as _;
use serde_json::json;
use standardwebhooks::Webhook;
use tokio::time::Instant;

use self::stream::{ROUND, Stream};
use crate::scene::Scene;

const DELIVERIES: usize = 10_000;
/// A secret that no endpoint has.
const FOREIGN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// So many deliveries are sent twice.
const FAILURES: usize = 300;
/// Of this many requests, one is also altered, and must not verify then.
const ONE_ALTERED_OF: usize = 20;
/// How far the timestamp of an attempt may be from the time when it was sent, in seconds.
const TOLERANCE: u64 = 2;

/// When the second secret came and the first one went, as far as a client can tell.
struct Rotation {
    old: String,
    new: String,
    adding: Instant,
    added: Instant,
    expiring: Instant,
    expired: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_varied_deliveries_verify_and_none_that_was_altered() -> Result<()> {
    let Some(verifiers) = Verifiers::find("verification of 10,000 deliveries")? else { return Ok(()) };
    let seed = seed()?;
    eprintln!("HOOKWAY_TEST_SEED={seed}");
    let mut stream = Stream::start(seed).await?;
    stream.fail(FAILURES);
    let rotation = send_all(&mut stream).await?;
    let requests = stream.arrived(FAILURES).await?;
    for request in &requests {
        is_as_promised(&stream, request)?;
    }
    retries_repeat_what_was_sent(&stream, &requests).await?;
    let mut checks = whole(&stream, &rotation, &requests)?;
    let expected: usize = checks.iter().map(|check| check.verify.len()).sum();
    let altered = altered(&mut stream, &requests);
    let refused = checks.iter().chain(&altered).map(|check| check.refuse.len()).sum();
    checks.extend(altered);
    let (python, node) =
        tokio::try_join!(verifiers.judge(Library::PyPi, &checks), verifiers.judge(Library::Npm, &checks))?;
    let all = Summary { verified: expected, refused, failures: Vec::new() };
    assert_eq!((&python, &node), (&all, &all));
    eprintln!("{} requests, verified {expected} times, refused {refused} times", requests.len());
    Ok(())
}

/// The proof that the one above can fail: each library names what does not verify and what should not have.
#[tokio::test]
async fn a_library_names_every_request_on_which_it_disagrees() -> Result<()> {
    let Some(verifiers) = Verifiers::find("that the verifiers can fail")? else { return Ok(()) };
    let scene = Scene::start().await?;
    let endpoint = scene.endpoint("/a", json!({})).await?;
    scene.client.send("a", &json!(1)).await?;
    let request = scene.receiver.wait_for("/a", 1).await?.remove(0);
    let secret = endpoint.secret.as_str();
    let mut malformed = Check::new(&request, &[secret], &[]);
    malformed.headers.insert("webhook-timestamp".to_owned(), "soon".to_owned());
    let checks = [
        Check::new(&request, &[FOREIGN], &[]),
        Check::new(&request, &[], &[secret]),
        malformed,
        Check::new(&request, &[secret], &[FOREIGN]),
    ];
    for library in [Library::PyPi, Library::Npm] {
        let summary = verifiers.judge(library, &checks).await?;
        assert_eq!((summary.verified, summary.refused), (1, 1), "{library:?}: {summary:?}");
        assert_eq!(summary.failures.len(), 3, "{library:?}: {summary:?}");
        for (failure, sentence) in
            summary.failures.iter().zip(["No matching signature", "verified, but", "Invalid Signature"])
        {
            ensure!(failure.contains(request.id()) && failure.contains(sentence), "{library:?}: {failure}");
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is the test's own setting")]
fn seed() -> Result<u64> {
    match env::var("HOOKWAY_TEST_SEED") {
        Ok(text) => text.parse().context("HOOKWAY_TEST_SEED is a number"),
        Err(_) => Ok(rand::random()),
    }
}

/// Posts everything; a third of the way a second secret is added, and after two thirds the first one expires, both while
/// events are being posted.
async fn send_all(stream: &mut Stream) -> Result<Rotation> {
    let rounds = DELIVERIES / ROUND;
    let endpoint = stream.endpoints["/rotating"].clone();
    let client = stream.scene.client.clone();
    let secrets = format!("/v1/endpoints/{}/secrets", endpoint.id);
    let listed = client.get(&secrets).await?.expect(StatusCode::OK)?.body;
    let old_id = listed["data"][0]["id"].as_str().context("a secret has an id")?.to_owned();
    let add = async || {
        let adding = Instant::now();
        let added = client.post(&secrets, &json!({})).await?.expect(StatusCode::CREATED)?.body;
        let new = added["value"].as_str().context("a new secret is shown")?.to_owned();
        anyhow::Ok((adding, new, Instant::now()))
    };
    let expire = async || {
        let expiring = Instant::now();
        let answer = client.post(&format!("{secrets}/{old_id}/expire"), &json!({})).await?;
        answer.expect(StatusCode::OK)?;
        anyhow::Ok((expiring, Instant::now()))
    };
    rounds_of(stream, rounds / 3).await?;
    let ((), (adding, new, added)) = tokio::try_join!(stream.round(), add())?;
    rounds_of(stream, rounds / 3).await?;
    let ((), (expiring, expired)) = tokio::try_join!(stream.round(), expire())?;
    rounds_of(stream, rounds - 2 - rounds / 3 * 2).await?;
    Ok(Rotation { old: endpoint.secret, new, adding, added, expiring, expired })
}

async fn rounds_of(stream: &mut Stream, count: usize) -> Result<()> {
    for _ in 0..count {
        stream.round().await?;
    }
    Ok(())
}

/// What every request has, whatever became of the body.
fn is_as_promised(stream: &Stream, request: &Received) -> Result<()> {
    let id = request.id();
    let sent = stream.sent.get(id).with_context(|| format!("{id} was never posted"))?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    ensure!((1..=64).contains(&id.len()) && id.bytes().all(is_word), "`webhook-id` is {id:?}");
    for name in ["host", "webhook-id", "webhook-timestamp", "webhook-signature"] {
        ensure!(request.headers.get_all(name).iter().count() == 1, "{id} has not one {name}");
    }
    let host = stream.scene.receiver.url("");
    ensure!(host.ends_with(&format!("//{}", request.header("host"))), "host is {}", request.header("host"));
    let timestamp = timestamp(request)?;
    let (earliest, latest) = (stream.unix(sent.at)?, stream.unix(request.at)?);
    ensure!(
        (earliest.saturating_sub(TOLERANCE)..=latest + TOLERANCE).contains(&timestamp),
        "{id} was posted at {earliest}, arrived at {latest} and says {timestamp}"
    );
    ensure!(request.path == sent.path, "{id} for {} came to {}", sent.path, request.path);
    is_the_body(&request.body, id, &sent.data, sent.path).with_context(|| format!("{id} at {}", sent.path))
}

fn is_the_body(body: &[u8], id: &str, data: &str, path: &str) -> Result<()> {
    let body = std::str::from_utf8(body)?;
    let part = |text: &str| body.contains(text);
    match path {
        "/jq" => ensure!(body.starts_with(&format!(r#"{{"id":"{id}","data":"#)), "jq made {body}"),
        "/redact" => {
            let (_, rest) = data.split_once(r#""rest": "#).context("there is a rest")?;
            ensure!(!part("hunter2") && !part("4111-1111"), "redact left {body}");
            ensure!(
                body.ends_with(&format!(r#""data":{{"secret":"***","rest":{rest}}}"#)),
                "redact made {body}"
            );
        }
        _ => {
            ensure!(body.starts_with(r#"{"event":""#) && part(&format!(r#""event_id":"{id}""#)), "{body}");
            ensure!(body.ends_with(&format!(r#","data":{data}}}"#)), "`data` was rewritten: {body}");
        }
    }
    Ok(())
}

/// The second attempt has the id and the bytes of the first, and a timestamp of its own, which is that of the log.
async fn retries_repeat_what_was_sent(stream: &Stream, requests: &[Received]) -> Result<()> {
    let mut attempts: HashMap<&str, Vec<&Received>> = HashMap::new();
    for request in requests {
        attempts.entry(request.id()).or_default().push(request);
    }
    let repeated: Vec<_> = attempts.values().filter(|requests| requests.len() > 1).collect();
    ensure!(repeated.len() > FAILURES / 3, "only {} deliveries were tried again", repeated.len());
    for requests in repeated {
        let delivery = stream.scene.client.delivery(requests[0].header("hookway-delivery-id")).await?;
        for (number, request) in requests.iter().enumerate() {
            ensure!(request.body == requests[0].body, "{} came with other bytes", request.id());
            assert_eq!(request.header("hookway-attempt"), (number + 1).to_string());
            let logged = delivery["attempt_log"][number]["started_at"].as_str().context("a start")?;
            let logged = u64::try_from(logged.parse::<jiff::Timestamp>()?.as_second())?;
            let timestamp = timestamp(request)?;
            ensure!(timestamp.abs_diff(logged) <= TOLERANCE, "{timestamp} was sent at {logged}");
        }
        let first_two = (timestamp(requests[0])?, timestamp(requests[1])?);
        ensure!(first_two.0 < first_two.1, "{} kept its timestamp: {first_two:?}", requests[0].id());
    }
    Ok(())
}

fn timestamp(request: &Received) -> Result<u64> {
    let text = request.header("webhook-timestamp");
    text.parse().with_context(|| format!("`webhook-timestamp` is {text:?}"))
}

/// Each request as it came, with the secrets that were active when it was signed; while both were, both have to verify.
fn whole(stream: &Stream, rotation: &Rotation, requests: &[Received]) -> Result<Vec<Check>> {
    let mut phases = [0; 3];
    let mut checks = Vec::with_capacity(requests.len());
    for request in requests {
        if request.path != "/rotating" {
            let secret = stream.endpoints[request.path.as_str()].secret.as_str();
            ensure!(signatures(request) == 1, "{} has {} signatures", request.id(), signatures(request));
            checks.push(Check::new(request, &[secret], &[]));
            continue;
        }
        let (verify, refuse) = rotation.split(request)?;
        let (by_old, by_new) = rotation.must_sign(stream.sent[request.id()].at, request.at);
        for (must, secret) in [(by_old, rotation.old.as_str()), (by_new, rotation.new.as_str())] {
            let signs = verify.contains(&secret);
            ensure!(must.is_none_or(|must| must == signs), "{}: a secret signs: {signs}", request.id());
        }
        ensure!(!verify.is_empty() && verify.len() == signatures(request), "{} is not signed", request.id());
        phases[refuse.first().map_or(1, |&refused| if refused == rotation.new { 0 } else { 2 })] += 1;
        checks.push(Check::new(request, &verify, &refuse));
    }
    ensure!(phases.iter().all(|&phase| phase > ROUND / 5), "a phase of the rotation is missing: {phases:?}");
    Ok(checks)
}

fn signatures(request: &Received) -> usize {
    request.header("webhook-signature").split(' ').count()
}

impl Rotation {
    /// The secrets that signed and those that did not.
    fn split<'a>(&'a self, request: &Received) -> Result<(Vec<&'a str>, Vec<&'a str>)> {
        let (old, new) = (Webhook::new(&self.old)?, Webhook::new(&self.new)?);
        let signed = |webhook: &Webhook| webhook.verify(&request.body, &request.headers).is_ok();
        let secrets = [(signed(&old), self.old.as_str()), (signed(&new), self.new.as_str())];
        let those =
            |wanted| secrets.iter().filter(|(is, _)| *is == wanted).map(|(_, secret)| *secret).collect();
        Ok((those(true), those(false)))
    }

    /// Whether the old and the new secret must have signed what was posted and arrived at these times; `None` where the
    /// change was under way.
    fn must_sign(&self, posted: Instant, arrived: Instant) -> (Option<bool>, Option<bool>) {
        let known = |yes: bool, no: bool| if yes { Some(true) } else { no.then_some(false) };
        let by_old = known(arrived < self.expiring, posted > self.expired);
        let by_new = known(posted > self.added, arrived < self.adding);
        (by_old, by_new)
    }
}

/// Some requests with another secret, with one bit of the body flipped, and with another timestamp.
fn altered(stream: &mut Stream, requests: &[Received]) -> Vec<Check> {
    let mut altered = Vec::new();
    for request in requests.iter().step_by(ONE_ALTERED_OF) {
        if request.path == "/rotating" {
            continue;
        }
        let secret = stream.endpoints[request.path.as_str()].secret.as_str();
        altered.push(Check::new(request, &[], &[FOREIGN]));
        let mut flipped = Check::new(request, &[], &[secret]);
        let ascii: Vec<_> = flipped.body.iter_mut().filter(|byte| byte.is_ascii()).collect();
        let at = stream.payloads.rng.random_range(0..ascii.len());
        // What stays UTF-8 is refused for its signature and not before.
        ascii.into_iter().skip(at).take(1).for_each(|byte| *byte ^= 1);
        altered.push(flipped);
        let mut later = Check::new(request, &[], &[secret]);
        let timestamp = request.header("webhook-timestamp").parse().unwrap_or(0_u64) + 1;
        later.headers.insert("webhook-timestamp".to_owned(), timestamp.to_string());
        altered.push(later);
    }
    altered
}
