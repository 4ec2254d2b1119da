//! What almost every test begins with: a gateway, a client with its admin key, a receiver.

use anyhow::Result;
use hookway_tests::client::{Client, Endpoint};
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::receiver::Receiver;
use serde_json::{Value, json};

use crate::contract;

pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) client: Client,
    pub(crate) receiver: Receiver,
}

impl Scene {
    pub(crate) async fn start() -> Result<Self> {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Result<Self> {
        let gateway = setup.start().await?;
        let client = gateway.client().with_check(contract::check());
        Ok(Self { gateway, client, receiver: Receiver::start().await? })
    }

    /// An endpoint at a path of the receiver, for all topics unless `with` says otherwise.
    pub(crate) async fn endpoint(&self, path: &str, with: Value) -> Result<Endpoint> {
        self.client.create_endpoint(&self.described(path, with)).await
    }

    /// The description of that endpoint.
    pub(crate) fn described(&self, path: &str, with: Value) -> Value {
        let mut endpoint = json!({ "url": self.receiver.url(path), "topics": ["**"] });
        if let (Some(endpoint), Value::Object(with)) = (endpoint.as_object_mut(), with) {
            endpoint.extend(with);
        }
        endpoint
    }

    /// Creates an endpoint that uses one plugin with one config.
    pub(crate) async fn endpoint_with(&self, path: &str, plugin: &str, config: Value) -> Result<Endpoint> {
        self.endpoint(path, json!({ "plugins": [{ "plugin": plugin, "config": config }] })).await
    }
}

/// The run of a plugin in a delivery of the log.
pub(crate) fn run_of<'a>(delivery: &'a Value, plugin: &str) -> &'a Value {
    let runs = delivery["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    runs.iter().find(|run| run["plugin"] == plugin).unwrap_or(&Value::Null)
}
