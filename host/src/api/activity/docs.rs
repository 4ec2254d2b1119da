//! What is said of activating and deactivating.

use http::StatusCode;

use crate::api::endpoint_view::EndpointView;
use crate::api::endpoints::docs::{ENDPOINT, ID, endpoint};
use crate::model::EndpointId;
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn activate() -> Operation {
    switch("activate_endpoint", "Activate an endpoint").describe(
        "It is healthy and active again; what waited is sent in the order in which its events were accepted. May be repeated.",
    )
}

pub(in crate::api) fn deactivate() -> Operation {
    switch("deactivate_endpoint", "Deactivate an endpoint").describe(
        "Nothing more is sent to it, and nothing is lost: what is for it is held until it is activated. May be repeated.",
    )
}

fn switch(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, Tag::Endpoints, Access::Manager, summary).path::<EndpointId>("id", ID).answer(
        StatusCode::OK,
        ENDPOINT,
        [json::<EndpointView>(endpoint())],
    )
}
