//! What is said of sending a delivery again, or not at all.

use http::StatusCode;
use serde_json::Value;

use crate::api::deliveries::docs::{ID, delivery};
use crate::api::delivery_view::DeliveryView;
use crate::model::DeliveryId;
use crate::openapi::refusal::{
    CHANGED_MEANWHILE, DELIVERY_OVER, ENDPOINT_DELETED, FILTERED, TOO_MANY_ATTEMPTS, UNDER_WAY,
};
use crate::openapi::{Access, Operation, Tag, json};

pub(in crate::api) fn retry() -> Operation {
    let mut due = delivery();
    due["status"] = "retrying".into();
    due["due_at"] = "2024-03-15T14:35:00.000Z".into();
    due["finished_at"] = Value::Null;
    Operation::new("retry_delivery", Tag::Deliveries, Access::Manager, "Send a delivery again")
        .describe(
            "Now, with the same bytes and `webhook-id`, as often as you like. One that was over begins its retry schedule anew; one that \
             waits keeps its own. If nothing of it was ever sent, the filter and the plugins judge it first.",
        )
        .path::<DeliveryId>("id", ID)
        .answer(StatusCode::ACCEPTED, "The delivery as it stands now", [json::<DeliveryView>(due)])
        .refuse(&[UNDER_WAY, ENDPOINT_DELETED, FILTERED, TOO_MANY_ATTEMPTS, CHANGED_MEANWHILE])
}

pub(in crate::api) fn cancel() -> Operation {
    let mut cancelled = delivery();
    cancelled["status"] = "cancelled".into();
    Operation::new("cancel_delivery", Tag::Deliveries, Access::Manager, "Cancel a delivery that waits")
        .describe(
            "An attempt that is under way ends and is recorded: if it arrived, the delivery is `delivered`. Nothing comes after it.",
        )
        .path::<DeliveryId>("id", ID)
        .answer(StatusCode::OK, "The delivery", [json::<DeliveryView>(cancelled)])
        .refuse(&[DELIVERY_OVER])
}
