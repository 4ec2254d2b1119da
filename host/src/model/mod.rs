//! The words of the gateway as types: ids, topics, events, endpoints, deliveries and the decisions about them.
//!
//! Pure: no I/O, no async, no clock. Everything here is a value or a function of its arguments, so that the
//! rules of the product can be read and tested without starting any of it. Imports nothing of the crate.

mod activity;
mod api_key;
mod audit;
mod binding;
mod delivery;
mod delivery_status;
mod ed25519_key;
mod endpoint;
mod event;
mod filtered_by;
mod header;
mod hmac_key;
mod id;
mod kv;
mod order;
mod plugin_record;
mod recovery;
mod request_options;
mod retry;
mod scope;
mod secret;
mod signature_style;
mod tally;
mod target_url;
mod tenant;
mod tenant_settings;
mod text;
mod time;
mod topic;
mod topic_entry;
mod trace_context;

pub use activity::{Activity, Health, InactiveReason, failing_since, is_gone};
pub use api_key::{ApiKey, ApiKeyRecord};
pub use audit::{Actor, AuditEntry, FieldChange};
pub use binding::{Binding, OnFailure, PluginName, PluginNameError};
pub use delivery::{
    Attempt, AttemptError, AttemptErrorClass, AttemptOutcome, CustomRequest, Delivery, DeliveryState,
    FailReason, HoldReason, Job, PluginRun, PluginRunOutcome,
};
pub use delivery_status::{DeliveryStatus, DeliveryStatusError};
pub use ed25519_key::Ed25519Key;
pub use endpoint::{Endpoint, Ordering, Subscription};
pub use event::{EnvelopeCache, Event, EventId, EventIdError};
pub use filtered_by::FilteredBy;
pub use header::Header;
pub use hmac_key::HmacKey;
pub use id::{DeliveryId, EndpointId, EventKey, IdError, KeyId, RecoveryId, SecretId};
pub use kv::{KvEntry, KvSpace, KvWrite, kv_cost};
pub use order::{Line, OrderId, OrderingKey, OrderingKeyError};
pub use plugin_record::{
    CandidateEnd, Percent, PercentError, PluginCandidate, PluginOrigin, PluginRecord, PluginVersion,
    SentBack, Unsettled,
};
pub use recovery::{Recovery, RecoveryState, Wanted};
pub use request_options::RequestOptions;
pub use retry::{Next, RetrySchedule};
pub use scope::{Scope, ScopeError};
pub use secret::{MAX_SECRETS, Secret, SecretError, SecretType, SigningKey};
pub use signature_style::SignatureStyle;
pub use tally::{LastError, Latencies, Tally};
pub use target_url::normalised_url;
pub use tenant::{TenantId, TenantIdError};
pub use tenant_settings::TenantSettings;
pub use time::UnixMs;
pub use topic::{Accepts, PatternError, Token, Topic, TopicError, TopicPattern};
pub use topic_entry::TopicEntry;
pub use trace_context::{SpanId, TraceContext, TraceId};
