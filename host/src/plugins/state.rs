//! What the host keeps for one instance, and the imports of the contract.
//!
//! `event` and `endpoint` are handles without content: while a call runs there is one of each, kept here, so a call
//! allocates no resource. A guest only ever borrows them and cannot keep them beyond the call.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::bindings::{kv, log, types};
use super::grants::{HttpGuest, KvGuest};
use super::limits::MemoryLimiter;
use super::logs::LogSink;
use crate::json::{Subject, Value};
use crate::model::Endpoint;

/// The event of the current call.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated code exports it")]
pub struct EventHandle;

/// The endpoint of the current call.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated code exports it")]
pub struct EndpointHandle;

/// What one call is about.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) subject: Subject,
    pub(super) endpoint: Arc<Endpoint>,
    /// What the transforms before this one made of the body.
    pub(super) body: Option<Bytes>,
}

/// The data of one instance's store.
pub(super) struct State {
    pub(super) current: Option<Current>,
    pub(super) deadline: Instant,
    pub(super) limiter: MemoryLimiter,
    pub(super) log: LogSink,
    pub(super) wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) http: HttpGuest,
    pub(super) kv: KvGuest,
}

/// Adds everything that a plugin may import. What of it takes a grant is refused before anything is linked.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    kv::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl State {
    /// Whether the guest has used up its time. What it waited for others is not its own.
    pub(super) fn is_past_deadline(&self) -> bool {
        let now = Instant::now();
        now >= self.deadline && self.http.call().is_none_or(|call| now >= self.deadline + call.waited())
    }

    fn current(&self) -> wasmtime::Result<&Current> {
        self.current.as_ref().ok_or_else(|| wasmtime::format_err!("there is no event outside of a call"))
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl types::Host for State {}

impl types::HostEvent for State {
    fn id(&mut self, _: Resource<EventHandle>) -> wasmtime::Result<String> {
        Ok(self.current()?.subject.event().id.as_str().to_owned())
    }

    fn topic(&mut self, _: Resource<EventHandle>) -> wasmtime::Result<String> {
        Ok(self.current()?.subject.event().topic.as_str().to_owned())
    }

    fn tenant(&mut self, _: Resource<EventHandle>) -> wasmtime::Result<String> {
        Ok(self.current()?.subject.event().tenant.as_str().to_owned())
    }

    fn timestamp_ms(&mut self, _: Resource<EventHandle>) -> wasmtime::Result<u64> {
        let ms = self.current()?.subject.event().timestamp.as_millisecond();
        Ok(u64::try_from(ms).unwrap_or(0))
    }

    fn data(&mut self, _: Resource<EventHandle>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.current()?.subject.event().data.to_vec())
    }

    fn get(&mut self, _: Resource<EventHandle>, pointer: String) -> wasmtime::Result<Option<types::Value>> {
        Ok(self.current()?.subject.data().get(&pointer).and_then(contract_value))
    }

    fn body(&mut self, _: Resource<EventHandle>) -> wasmtime::Result<Vec<u8>> {
        let current = self.current()?;
        Ok(match &current.body {
            Some(body) => body.to_vec(),
            None => current.subject.event().envelope().to_vec(),
        })
    }

    fn drop(&mut self, _: Resource<EventHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl types::HostEndpoint for State {
    fn id(&mut self, _: Resource<EndpointHandle>) -> wasmtime::Result<String> {
        Ok(self.current()?.endpoint.id.to_string())
    }

    fn url(&mut self, _: Resource<EndpointHandle>) -> wasmtime::Result<String> {
        Ok(self.current()?.endpoint.url.as_str().to_owned())
    }

    fn metadata(&mut self, _: Resource<EndpointHandle>, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.current()?.endpoint.metadata.get(&name).cloned())
    }

    fn drop(&mut self, _: Resource<EndpointHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let event = self.current.as_ref().map(|current| &current.subject.event().id);
        self.log.write(level, event, &message);
        Ok(())
    }
}

/// A value as guests see it: numbers are 64-bit floats in the contract, objects and arrays come as their text.
fn contract_value(value: Value<'_>) -> Option<types::Value> {
    Some(match value {
        Value::Null => types::Value::Null,
        Value::Bool(value) => types::Value::Boolean(value),
        Value::Number(text) => types::Value::Number(text.parse().ok()?),
        Value::Text(text) => types::Value::Text(text.into_owned()),
        Value::Array(inside) | Value::Object(inside) => types::Value::Json(inside.text().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::types::HostEvent as _;
    use super::*;
    use crate::clock::Clock;
    use crate::model::PluginName;
    use crate::plugins::engine::Runtime;
    use crate::plugins::grants::Granted;
    use crate::plugins::limits::CallLimits;
    use crate::plugins::logs::PluginLog;
    use crate::plugins::tests::{endpoint, subject};
    use crate::plugins::{Manifest, Options};

    #[tokio::test]
    async fn all_plugins_and_endpoints_of_an_event_share_one_parse() {
        let runtime =
            Runtime::alone(Options { instances: 8, ..Options::default() }, Clock::system()).unwrap();
        let log = Arc::new(PluginLog::new(
            "p".parse::<PluginName>().unwrap(),
            "v".into(),
            Clock::system(),
            Arc::default(),
        ));
        let limits = CallLimits::of(&Manifest::default(), &runtime.options);
        let subject = subject(r#"{"a": {"b": 1}, "c": {"d": 2}, "e": [[3]]}"#);
        assert_eq!(subject.data().levels(), 0, "nothing is parsed before somebody looks");
        for _ in 0..5 {
            let mut store = runtime.store(&log, None, limits, &Granted::default());
            let current = Current { subject: subject.clone(), endpoint: endpoint(Vec::new()), body: None };
            store.data_mut().current = Some(current);
            for (pointer, there) in [("/a/b", true), ("/a/x", false), ("/c", true), ("/e", true)] {
                let found = store.data_mut().get(Resource::new_borrow(0), pointer.to_owned()).unwrap();
                assert_eq!(found.is_some(), there, "{pointer}");
            }
        }
        assert_eq!(subject.data().levels(), 2, "the outermost and that of `a`");
    }
}
