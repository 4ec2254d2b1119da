//! A transform that remembers the tenant and the event of its last call in a static and puts them into the next
//! body: `{"seen": [tenant, id], "tenant": ..., "id": ...}`. An instance that two tenants share shows it.

use std::cell::RefCell;

use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Transform, json};

thread_local! {
    static LAST: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

struct Leaky;

impl Transform for Leaky {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        let (tenant, id) = (event.tenant(), event.id());
        let seen = LAST.with(|last| last.replace(Some((tenant.clone(), id.clone()))));
        Ok(Outcome::body(json!({ "seen": seen, "tenant": tenant, "id": id }).to_string()))
    }
}

hookway_plugin::export!(transform: Leaky);
