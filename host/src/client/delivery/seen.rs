//! What of the log was told already, so that only changes are told.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::view::Delivery;

/// A delivery that is new or stands otherwise than before.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) delivery: Delivery,
    /// As the API gave it.
    pub(super) json: Box<RawValue>,
}

/// How each delivery stood when it was told last, by id; the newest have the greatest ids.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, (String, u16)>);

impl Seen {
    /// Of these, those that are new or stand otherwise than before. `rows` is the newest part of the log: what is no
    /// longer in it is forgotten, so this never grows.
    pub(super) fn changed(&mut self, rows: Vec<Change>) -> Vec<Change> {
        let Some(oldest) = rows.iter().map(|row| row.delivery.id.clone()).min() else { return rows };
        self.0.retain(|id, _| *id >= oldest);
        let is_news = |Change { delivery, .. }: &Change| {
            let now = (delivery.status.clone(), delivery.attempts);
            self.0.insert(delivery.id.clone(), now.clone()) != Some(now)
        };
        let mut news: Vec<_> = rows.into_iter().filter(is_news).collect();
        news.sort_by(|a, b| a.delivery.id.cmp(&b.delivery.id));
        news
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(rows: &[(&str, &str, u16)]) -> Vec<Change> {
        let row = |(id, status, attempts): &(&str, &str, u16)| {
            let row = json!({
                "id": id, "event_id": "e", "topic": "t", "tenant": "a", "endpoint_id": "ep", "status": status,
                "attempts": attempts, "created_at": "T", "due_at": null, "finished_at": null,
            });
            let json = serde_json::value::to_raw_value(&row).unwrap();
            Change { delivery: serde_json::from_value(row).unwrap(), json }
        };
        rows.iter().map(row).collect()
    }

    fn ids(rows: &[Change]) -> Vec<&str> {
        rows.iter().map(|row| row.delivery.id.as_str()).collect()
    }

    #[test]
    fn a_delivery_is_told_again_only_when_it_changed() {
        let mut seen = Seen::default();
        let first = || rows(&[("3", "pending", 0), ("2", "retrying", 1), ("1", "delivered", 1)]);
        assert_eq!(ids(&seen.changed(first())), ["1", "2", "3"]);
        assert!(seen.changed(first()).is_empty());
        let later = rows(&[("4", "pending", 0), ("3", "pending", 0), ("2", "retrying", 2)]);
        assert_eq!(ids(&seen.changed(later)), ["2", "4"]);
        assert_eq!(seen.0.len(), 3, "what left the window is forgotten");
        assert!(seen.changed(Vec::new()).is_empty());
    }
}
