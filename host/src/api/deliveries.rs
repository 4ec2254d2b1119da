//! `GET /v1/deliveries`: the delivery log.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::Api;
use super::attempt_view::RecordView;
use super::delivery_view::RowView;
use super::page::Page;
use crate::http::{Caller, Limit, PathText, Problem, Query};
use crate::model::{DeliveryId, DeliveryStatus, EndpointId, EventId, TenantId, Topic, UnixMs};
use crate::openapi::Time;
use crate::store::{DeliveryFilter, DeliveryRecord, DeliverySummary};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    /// To this endpoint only.
    #[serde(deserialize_with = "parsed")]
    endpoint: Option<EndpointId>,
    /// In this state only.
    #[serde(deserialize_with = "parsed")]
    status: Option<DeliveryStatus>,
    /// Of events of this topic only.
    topic: Option<Topic>,
    /// Of this event only.
    event_id: Option<EventId>,
    /// Made at this time or later.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    since: Option<UnixMs>,
    /// Made before this time.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    until: Option<UnixMs>,
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[serde(deserialize_with = "parsed")]
    cursor: Option<DeliveryId>,
}

/// Newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<Page<RowView>>, Problem> {
    let filter = DeliveryFilter {
        tenant: caller.visible_tenant(params.tenant)?,
        endpoint: params.endpoint,
        state: params.status,
        inactive: api.directory.inactive(),
        topic: params.topic,
        event_id: params.event_id,
        since: params.since,
        until: params.until,
    };
    let inactive = filter.inactive.clone();
    let mut page = api.store.deliveries(filter, params.cursor, params.limit.get()).await?;
    for row in page.rows.iter_mut().filter(|row| inactive.contains(&row.delivery.endpoint)) {
        row.delivery.hold_while_inactive();
    }
    Ok(Json(Page {
        data: page.rows.iter().map(|row| api.row(row)).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// One, with every attempt.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<RecordView>, Problem> {
    let mut record = api.find_delivery(&caller, &id).await?;
    if api.directory.is_inactive(record.delivery.endpoint) {
        record.delivery.hold_while_inactive();
    }
    let mut shown = RecordView::from(&record);
    api.explain(shown.delivery_mut(), &record.delivery);
    Ok(Json(shown))
}

impl Api {
    fn row(&self, row: &DeliverySummary) -> RowView {
        let mut shown = RowView::from(row);
        self.explain(shown.delivery_mut(), &row.delivery);
        shown
    }

    /// The delivery of this id, if there is one and the caller may know of it.
    pub(super) async fn find_delivery(&self, caller: &Caller, id: &str) -> Result<DeliveryRecord, Problem> {
        let record = match id.parse::<DeliveryId>() {
            Ok(id) => self.store.delivery(id).await?,
            Err(_) => None,
        };
        let record = record.filter(|record| caller.manages(&record.event.tenant));
        record.ok_or_else(|| Problem::not_found("there is no delivery of this id"))
    }
}

/// A parameter whose type knows how to read text.
pub(super) fn parsed<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
}

/// A parameter that is a time.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UnixMs>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        de::Error::custom(
            "a time is as in RFC 3339, for example `2024-03-15T14:30:00Z` (a `+` is sent as `%2B`)",
        )
    })?;
    Ok(Some(UnixMs(u64::try_from(time.as_millisecond()).unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts as _;
    use http::Request;

    use super::*;

    async fn params(query: &str) -> Result<Params, Problem> {
        let request = Request::get(format!("/v1/deliveries?{query}")).body(()).unwrap();
        Query::from_request_parts(&mut request.into_parts().0, &()).await.map(|Query(params)| params)
    }

    #[tokio::test]
    async fn every_filter_is_read() {
        let id = "01JDB6ZK3V8M2Q4R5S6T7V8W9X";
        let query = format!(
            "tenant=acme&endpoint=ep_{id}&status=held&topic=a/b&event_id=e-1&since=2024-03-15T14:30:00Z\
             &until=2024-03-15T14:30:01%2B00:00&limit=3&cursor=dlv_{id}_0"
        );
        let params = params(&query).await.unwrap();
        assert_eq!(params.since, Some(UnixMs(1_710_513_000_000)));
        assert_eq!(params.until, Some(UnixMs(1_710_513_001_000)));
        assert_eq!(params.cursor.unwrap().to_string(), format!("dlv_{id}_0"));
        assert_eq!((params.status, params.limit.get()), (Some(DeliveryStatus::Held), 3));
    }

    #[tokio::test]
    async fn a_filter_that_cannot_be_read_is_refused_and_named() {
        for (query, word) in [
            ("status=done", "status"),
            ("endpoint=ep_1", "endpoint"),
            ("since=yesterday", "since"),
            ("cursor=1", "cursor"),
            ("topic=a%20b", "topic"),
            ("event=x", "event"),
        ] {
            let problem = params(query).await.unwrap_err();
            assert!(problem.detail().contains(word), "{query}: {}", problem.detail());
        }
    }
}
