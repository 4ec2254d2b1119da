//! The endpoints of one tenant, with everything that is worked out once and used for every event.

use std::sync::Arc;

use crate::fast_map::FastMap;
use crate::filter::{self, Filter};
use crate::matching::TenantIndex;
use crate::model::{Binding, Endpoint, EndpointId};

/// A filter as it was stored, or why it cannot be read.
type Compiled = Arc<Result<Filter, filter::Error>>;

/// The endpoints of one tenant. Immutable: an event is matched and filtered by one version of each endpoint.
#[derive(Debug)]
pub struct Tenant {
    index: TenantIndex,
    inherited: Vec<Binding>,
    /// Of the endpoints that have one.
    filters: FastMap<EndpointId, (Arc<str>, Compiled)>,
}

impl Tenant {
    /// These endpoints. Filters that are as they were `before` are taken from there.
    pub(super) fn new(endpoints: Vec<Arc<Endpoint>>, inherited: Vec<Binding>, before: Option<&Self>) -> Self {
        let filters = endpoints
            .iter()
            .filter_map(|endpoint| {
                let text = endpoint.filter.as_ref()?;
                let known = before.and_then(|before| before.filters.get(&endpoint.id));
                let compiled = match known {
                    Some((before, compiled)) if before == text => Arc::clone(compiled),
                    Some(_) | None => compile(endpoint.id, text),
                };
                Some((endpoint.id, (Arc::clone(text), compiled)))
            })
            .collect();
        Self { index: TenantIndex::new(endpoints), inherited, filters }
    }

    /// Which endpoints want which topics.
    #[must_use]
    pub const fn index(&self) -> &TenantIndex {
        &self.index
    }

    /// The plugins that all its endpoints have, before their own: those of the gateway, then those of the tenant.
    #[must_use]
    pub fn inherited(&self) -> &[Binding] {
        &self.inherited
    }

    /// An endpoint.
    #[must_use]
    pub fn endpoint(&self, id: EndpointId) -> Option<&Arc<Endpoint>> {
        let endpoints = self.index.endpoints();
        let at = endpoints.binary_search_by_key(&id, |endpoint| endpoint.id).ok()?;
        endpoints.get(at)
    }

    /// The filter of an endpoint, if it has one.
    ///
    /// # Errors
    /// The stored text is not a filter: it was set through another version of Hookway.
    #[must_use]
    pub fn filter(&self, endpoint: EndpointId) -> Option<Result<&Filter, &filter::Error>> {
        self.filters.get(&endpoint).map(|(_, compiled)| compiled.as_ref().as_ref())
    }
}

fn compile(endpoint: EndpointId, text: &str) -> Compiled {
    let compiled = Filter::parse(text);
    if let Err(error) = &compiled {
        tracing::error!(
            %endpoint, %error, pointer = error.pointer,
            "the stored filter of an endpoint cannot be read; its deliveries are held until it is set again"
        );
    }
    Arc::new(compiled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TenantId, UnixMs};

    fn endpoint(n: u128, filter: Option<&str>) -> Arc<Endpoint> {
        let id = EndpointId::new(UnixMs(1), n);
        let url = format!("https://example.com/{n}").parse().unwrap();
        let endpoint = Endpoint::new(id, TenantId::default(), url, UnixMs(1));
        Arc::new(Endpoint { filter: filter.map(Arc::from), ..endpoint })
    }

    #[test]
    fn a_filter_is_compiled_again_only_when_it_changed() {
        let [one, two, three] = [
            endpoint(1, Some(r#"{"event": "a"}"#)),
            endpoint(2, Some(r#"{"event": "b"}"#)),
            endpoint(3, None),
        ];
        let before =
            Tenant::new(vec![Arc::clone(&one), Arc::clone(&two), Arc::clone(&three)], Vec::new(), None);
        let changed = endpoint(2, Some(r#"{"event": "c"}"#));
        let after =
            Tenant::new(vec![Arc::clone(&one), changed, Arc::clone(&three)], Vec::new(), Some(&before));
        let address = |tenant: &Tenant, id| std::ptr::from_ref(tenant.filter(id).unwrap().unwrap()).addr();
        assert_eq!(address(&before, one.id), address(&after, one.id));
        assert_ne!(address(&before, two.id), address(&after, two.id));
        assert!(after.filter(three.id).is_none());
        assert_eq!(after.endpoint(three.id), Some(&three));
    }

    #[test]
    fn a_stored_filter_that_cannot_be_read_is_an_error_and_not_absent() {
        let broken = endpoint(1, Some(r#"{"data": {"$near": 1}}"#));
        let tenant = Tenant::new(vec![Arc::clone(&broken)], Vec::new(), None);
        assert_eq!(tenant.filter(broken.id).unwrap().unwrap_err().pointer, "/data/$near");
    }
}
