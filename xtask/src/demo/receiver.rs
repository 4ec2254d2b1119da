//! The customer's side of the demo: a receiver that believes nothing without a valid signature.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, ensure};
use hookway_tests::receiver::{Received, Receiver};
use standardwebhooks::Webhook;

/// A receiver with the secret of each of its paths.
pub(super) struct Inbox {
    receiver: Receiver,
    secrets: HashMap<&'static str, Webhook>,
}

impl Inbox {
    /// Listens on a free port.
    pub(super) async fn start() -> Result<Self> {
        Ok(Self { receiver: Receiver::start().await?, secrets: HashMap::new() })
    }

    /// The address of a path.
    pub(super) fn url(&self, path: &str) -> String {
        self.receiver.url(path)
    }

    /// From now on, requests to a path are verified with this secret.
    pub(super) fn trust(&mut self, path: &'static str, secret: &str) -> Result<()> {
        let webhook = Webhook::new(secret).context("the gateway made a secret that does not decode")?;
        self.secrets.insert(path, webhook);
        Ok(())
    }

    /// What arrived at a path.
    ///
    /// # Errors
    /// One of the requests has no valid signature.
    pub(super) fn verified(&self, path: &str) -> Result<Vec<Received>> {
        let requests = self.receiver.requests(path);
        let webhook = self.secrets.get(path).context("the path has no endpoint")?;
        for request in &requests {
            let verdict = webhook.verify(&request.body, &request.headers);
            verdict
                .with_context(|| format!("event {} arrived at {path} with a bad signature", request.id()))?;
        }
        Ok(requests)
    }

    /// How many requests arrived, all with a valid signature.
    ///
    /// # Errors
    /// One of them has none.
    pub(super) fn count_verified(&self) -> Result<usize> {
        self.secrets.keys().map(|path| Ok(self.verified(path)?.len())).sum()
    }

    /// Waits until each of these events arrived at a path, and checks that none came twice.
    pub(super) async fn wait_for_events(&self, path: &str, ids: &[String]) -> Result<Vec<Received>> {
        let arrived = |requests: &[Received]| {
            let ids_here: HashSet<_> = requests.iter().map(Received::id).collect();
            ids.iter().all(|id| ids_here.contains(id.as_str()))
        };
        let what = format!("{} events", ids.len());
        self.receiver.wait_until(path, &what, arrived).await?;
        let requests = self.verified(path)?;
        let mut seen = HashSet::new();
        for request in &requests {
            ensure!(seen.insert(request.id()), "event {} arrived twice at {path}", request.id());
        }
        Ok(requests)
    }

    /// Waits until the newest request of a path is as wanted.
    pub(super) async fn wait_for_last(
        &self,
        path: &str,
        what: &str,
        wanted: impl Fn(&Received) -> bool,
    ) -> Result<()> {
        self.receiver.wait_until(path, what, |requests| requests.last().is_some_and(&wanted)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hookway_tests::client::Client;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    async fn post(inbox: &Inbox, id: &str, body: &'static str, secret: &str) {
        let timestamp =
            std::process::Command::new("date").arg("+%s").output().unwrap().stdout.trim_ascii().to_owned();
        let timestamp = String::from_utf8(timestamp).unwrap();
        let webhook = Webhook::new(secret).unwrap();
        let signature = webhook.sign(id, timestamp.parse().unwrap(), body.as_bytes()).unwrap();
        let base = inbox.url("");
        let headers =
            [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
        let body = Some(body.into());
        Client::new(base, "").call("POST".parse().unwrap(), "/a", &headers, body).await.unwrap();
    }

    #[tokio::test]
    async fn counts_only_what_is_signed() {
        let mut inbox = Inbox::start().await.unwrap();
        inbox.trust("/a", SECRET).unwrap();
        post(&inbox, "evt_1", "{}", SECRET).await;
        assert_eq!(inbox.count_verified().unwrap(), 1);
        post(&inbox, "evt_2", "{}", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
        let error = inbox.count_verified().unwrap_err().to_string();
        assert!(error.contains("evt_2"), "{error}");
    }

    #[tokio::test]
    async fn an_event_that_arrives_twice_is_named() {
        let mut inbox = Inbox::start().await.unwrap();
        inbox.trust("/a", SECRET).unwrap();
        post(&inbox, "evt_1", "{}", SECRET).await;
        post(&inbox, "evt_2", "{}", SECRET).await;
        assert_eq!(inbox.wait_for_events("/a", &["evt_2".to_owned()]).await.unwrap().len(), 2);
        post(&inbox, "evt_1", "{}", SECRET).await;
        let error = inbox.wait_for_events("/a", &["evt_2".to_owned()]).await.unwrap_err().to_string();
        assert_eq!(error, "event evt_1 arrived twice at /a");
    }
}
