//! What is said of the catalogue of topics.

use http::StatusCode;
use serde_json::{Value, json};

use super::{ImportedView, Params};
use crate::api::dry_run::DryRun;
use crate::api::page::Page;
use crate::api::topic_file::File;
use crate::api::topic_input::{Create, Patch};
use crate::api::topic_view::TopicView;
use crate::model::Topic;
use crate::openapi::refusal::{CATALOGUE_FULL, TOPIC_TAKEN};
use crate::openapi::{Access, Operation, Tag, json, text};

const NAME: &str = "The name of a topic. A `/` in it may stand as it is or as `%2F`.";

pub(in crate::api) fn list() -> Operation {
    let page = json!({ "data": [topic()], "next_cursor": null });
    Operation::new("list_topics", Tag::Topics, Access::AnyKey, "List topics, by name")
        .query::<Params>()
        .answer(StatusCode::OK, "A page of topics", [json::<Page<TopicView<'_>>>(page)])
}

pub(in crate::api) fn create() -> Operation {
    Operation::new("create_topic", Tag::Topics, Access::Admin, "Add a topic")
        .describe("Its schema is in force from the answer on.")
        .body(json::<Create>(json!({
            "topic": "orders/created",
            "description": "an order was paid",
            "schema": { "type": "object", "required": ["total"] },
        })))
        .answer(StatusCode::CREATED, "The topic", [json::<TopicView<'_>>(topic())])
        .with_location("The path of the topic")
        .refuse(&[TOPIC_TAKEN, CATALOGUE_FULL])
}

pub(in crate::api) fn import() -> Operation {
    Operation::new("import_topics", Tag::Topics, Access::Admin, "Add or replace many topics, all or none")
        .describe("Topics that are not named stay as they are. What is there with the same content is not written again.")
        .query::<DryRun>()
        .body(json::<File>(json!({ "topics": [{ "topic": "orders/created" }] })))
        .body(text("application/toml", "[[topics]]\ntopic = \"orders/created\"\n"))
        .answer(StatusCode::OK, "What the import did", [json::<ImportedView>(json!({
            "created": 1,
            "updated": 0,
            "unchanged": 0,
        }))])
        .refuse(&[CATALOGUE_FULL])
}

pub(in crate::api) fn get() -> Operation {
    Operation::new("get_topic", Tag::Topics, Access::AnyKey, "Get a topic")
        .path::<Topic>("topic", NAME)
        .answer(StatusCode::OK, "The topic", [json::<TopicView<'_>>(topic())])
}

pub(in crate::api) fn update() -> Operation {
    Operation::new("update_topic", Tag::Topics, Access::Admin, "Change a topic")
        .describe("What is absent stays as it is.")
        .path::<Topic>("topic", NAME)
        .body(json::<Patch>(json!({ "schema": null })))
        .answer(StatusCode::OK, "The topic", [json::<TopicView<'_>>(topic())])
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("delete_topic", Tag::Topics, Access::Admin, "Delete a topic")
        .describe("Its events stay.")
        .path::<Topic>("topic", NAME)
        .answer(StatusCode::NO_CONTENT, "It is gone", [])
}

fn topic() -> Value {
    json!({
        "topic": "orders/created",
        "description": "an order was paid",
        "use_cases": ["Telling a customer."],
        "available_for": ["Sellers"],
        "examples": [{ "total": 99 }],
        "schema": { "type": "object", "required": ["total"] },
        "created_at": "2024-03-15T14:30:00.000Z",
        "updated_at": "2024-03-15T14:30:00.000Z",
    })
}
