//! The plugin host against real files and hostile components.

mod cached;
mod calls;
mod candidates;
mod damaged;
mod files;
pub(crate) mod guests;
mod hostile;
mod manifests;
mod policy;
mod random;
mod versions;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{Compiler, Means, Options, Places, Plugins, Unrecorded};
use crate::clock::Clock;
use crate::json::Subject;
use crate::model::{
    Binding, Endpoint, EndpointId, EnvelopeCache, Event, EventKey, OnFailure, PluginName, TenantId, UnixMs,
};
use crate::shutdown::Shutdown;

/// A gateway's plugins over a directory of their own.
struct Fixture {
    dir: tempfile::TempDir,
    plugins: Plugins,
    shutdown: Shutdown,
}

impl Fixture {
    async fn start(files: &[(&str, &[u8])]) -> Self {
        Self::with(files, |_, _| {}).await
    }

    async fn with(files: &[(&str, &[u8])], change: impl FnOnce(&Path, &mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        // On a busy machine a guest may wait longer than the default deadline for its turn.
        let deadline = std::time::Duration::from_secs(30);
        let mut options = Options { deadline, instances: 16, ..Options::default() };
        change(dir.path(), &mut options);
        let shutdown = Shutdown::new();
        let places = Places {
            plugins: dir.path().to_owned(),
            cache: None,
            versions: dir.path().join(".versions"),
            compiler: Compiler::InProcess,
            means: Means::default(),
            records: Arc::new(Unrecorded),
        };
        let plugins = Plugins::start(places, options, Clock::system(), &shutdown).await.unwrap();
        Self { dir, plugins, shutdown }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file beside the directory's plugins and renames it over `name`, as a careful author does.
    fn rename_over(&self, name: &str, bytes: &[u8]) {
        let temporary = self.path().join(format!("{name}.tmp"));
        std::fs::write(&temporary, bytes).unwrap();
        std::fs::rename(temporary, self.path().join(name)).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

fn name(text: &str) -> PluginName {
    text.parse().unwrap()
}

fn binding(plugin: &str, on_failure: OnFailure) -> Binding {
    Binding { plugin: name(plugin), config: None, topics: Vec::new(), on_failure: Some(on_failure) }
}

pub(super) fn endpoint(plugins: Vec<Binding>) -> Arc<Endpoint> {
    Arc::new(Endpoint {
        plugins,
        ..Endpoint::new(
            EndpointId::new(UnixMs(1), 1),
            TenantId::default(),
            "https://example.com/hook".parse().unwrap(),
            UnixMs(1),
        )
    })
}

pub(super) fn subject(data: &'static str) -> Subject {
    Subject::new(Arc::new(event(1, "orders/created", data)))
}

fn event(number: u64, topic: &str, data: &'static str) -> Event {
    Event {
        key: EventKey::new(UnixMs(number), 1),
        id: "evt_1".parse().unwrap(),
        tenant: TenantId::default(),
        topic: topic.parse().unwrap(),
        timestamp: "2024-03-15T14:30:00Z".parse().unwrap(),
        accepted_at: UnixMs(1),
        data: Bytes::from_static(data.as_bytes()),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    }
}

/// One turn of a call; what it came to, if it came to an end.
async fn turn_of<F: Future + Unpin>(call: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        let turn = std::pin::Pin::new(&mut *call).poll(context);
        std::task::Poll::Ready(if let std::task::Poll::Ready(output) = turn { Some(output) } else { None })
    })
    .await
}
