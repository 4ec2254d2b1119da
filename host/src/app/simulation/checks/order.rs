//! Lines: those of one endpoint, or of one value of its key, go one after another.

use std::collections::HashMap;

use serde_json::Value;

use super::super::outcome::StoredDelivery;
use super::super::script::Order;
use super::super::world::Posted;
use super::store::name;
use super::{Case, ensure};
use crate::model::DeliveryState;

pub(super) fn lines_are_in_order(case: &Case<'_>) -> Result<(), String> {
    for (endpoint, plan) in case.script.setup.endpoints.iter().enumerate() {
        let mut lines = HashMap::<_, Vec<&StoredDelivery>>::new();
        for delivery in case.outcome.deliveries.iter().filter(|delivery| delivery.endpoint == endpoint) {
            let key = match plan.order {
                Order::None => continue,
                Order::Whole => Value::Null,
                Order::ByKey => {
                    let data: Value = serde_json::from_str(&delivery.data).unwrap_or_default();
                    data["k"].clone()
                }
            };
            lines.entry(key.to_string()).or_default().push(delivery);
        }
        lines.values().try_for_each(|line| check_line(case, line))?;
    }
    Ok(())
}

/// The deliveries of a line, by the order of acceptance.
fn check_line(case: &Case<'_>, line: &[&StoredDelivery]) -> Result<(), String> {
    // What somebody sends again goes when they say so, and events that are replayed have new deliveries.
    let in_line: Vec<_> = line
        .iter()
        .filter(|delivery| {
            let (event, ordinal) = (delivery.event.as_str(), delivery.id.ordinal);
            let is_first = line
                .iter()
                .find(|other| other.key() == delivery.key())
                .is_some_and(|first| first.id == delivery.id);
            is_first
                && !case.was_resent(event, ordinal, delivery.endpoint)
                && !case.was_cancelled(event, ordinal)
        })
        .collect();
    for (n, earlier) in in_line.iter().enumerate() {
        let posts = case.posts(&earlier.event, earlier.id.ordinal);
        for later in &in_line[n + 1..] {
            for post in case.posts(&later.event, later.id.ordinal) {
                check_pair(earlier, posts, later, post)?;
            }
        }
    }
    Ok(())
}

fn check_pair(
    earlier: &StoredDelivery,
    posts: &[&Posted],
    later: &StoredDelivery,
    post: &Posted,
) -> Result<(), String> {
    let overtakes =
        || format!("{} began at {} ms before {} was over", name(later), post.began.at, name(earlier));
    let is_open = |other: &&&Posted| {
        other.life == post.life && other.ended.is_none_or(|ended| ended.order > post.began.order)
    };
    ensure(!posts.iter().any(|other| is_open(&other)), overtakes)?;
    let was_delivered = earlier.state == DeliveryState::Delivered;
    let arrived = posts.iter().any(|other| {
        other.outcome.is_success() && other.ended.is_some_and(|ended| ended.order < post.began.order)
    });
    ensure(!was_delivered || arrived, overtakes)
}
