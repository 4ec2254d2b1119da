//! Deliveries and their attempts: what the delivery log is made of.
//!
//! A delivery is one event on its way to one endpoint:
//!
//! ```text
//! pending -> delivered            held      a plugin, a missing secret or an inactive endpoint stops it
//!    |  \--> retrying -> ...      filtered  the filter or a plugin dropped it; who and why is recorded
//!    |          \-----> failed    cancelled somebody said so, or its endpoint was deleted
//! ```
//!
//! What is final stays so, until somebody asks for the delivery to be sent again.
//!
//! Each POST is an [`Attempt`], always recorded: there is no hidden retry.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, DeliveryStatus, EndpointId, Event, FilteredBy, Header, Line, PluginName, UnixMs};

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, which names the event too.
    pub id: DeliveryId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many attempts were made.
    pub attempts: u16,
    /// When the event was matched to the endpoint.
    pub created_at: UnixMs,
    /// When it is due next: the next attempt, or the next try of the plugins of a held one.
    pub due_at: Option<UnixMs>,
    /// When it reached a state that is final.
    pub finished_at: Option<UnixMs>,
    /// What each plugin said.
    pub plugins: Vec<PluginRun>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryState {
    /// Waits for its first attempt.
    Pending,
    /// An attempt failed; the next one is due at `due_at`.
    Retrying,
    /// An attempt was answered with 2xx. Final.
    Delivered,
    /// Given up. Final.
    Failed(FailReason),
    /// Nothing is sent until the reason is gone.
    Held(HoldReason),
    /// The endpoint's filter or a plugin dropped it. Final.
    Filtered {
        /// Which of them.
        by: FilteredBy,
        /// Which condition failed, or what the plugin said.
        reason: String,
    },
    /// Somebody cancelled it, or its endpoint was deleted before it was delivered. Final.
    Cancelled,
}

/// Why a delivery was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailReason {
    /// The last attempt of the retry schedule failed.
    Exhausted,
    /// A plugin says that it can never handle the event.
    PluginRefused {
        /// Which plugin.
        plugin: PluginName,
        /// What it said.
        message: String,
    },
    /// A plugin failed at every try: on this event as often as one may, or over the whole retry schedule.
    PluginFailed {
        /// Which plugin.
        plugin: PluginName,
        /// How it failed last.
        message: String,
    },
    /// The endpoint's filter could not be read over the whole retry schedule.
    FilterUnreadable {
        /// What is wrong with it.
        message: String,
    },
    /// What was stored of it was changed on the disk, so there is nothing that may be sent.
    Damaged {
        /// What cannot be read.
        message: String,
    },
}

/// Why a delivery is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldReason {
    /// A plugin could not judge it. A new version of the plugin releases it.
    PluginFailed {
        /// Which plugin.
        plugin: PluginName,
        /// How it failed.
        message: String,
        /// How often it was tried.
        tries: u16,
        /// How often the plugin failed on it while it worked otherwise. Not part of the form in which the state is stored:
        /// whoever stores it says it beside, if there is any.
        #[serde(skip)]
        faults: u16,
    },
    /// The endpoint has no secret that is active, and nothing goes out unsigned.
    NoActiveSecret,
    /// The stored filter of the endpoint is not one that this Hookway understands: it was set through another version.
    /// It is read again at each try, so setting it again releases the delivery.
    FilterUnreadable {
        /// What is wrong with it.
        message: String,
        /// How often it was tried.
        tries: u16,
    },
    /// The endpoint is inactive. Never stored: see [`Delivery::hold_while_inactive`].
    EndpointInactive,
}

/// What one plugin said about one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRun {
    /// Which plugin.
    pub plugin: PluginName,
    /// Which version: the first 16 hex digits of the SHA-256 of its component and, with a manifest, `+` and the first 8 of
    /// that; empty when none was loaded.
    pub version: Arc<str>,
    /// What it said.
    pub outcome: PluginRunOutcome,
    /// How long the call took, waiting for an instance included.
    pub took: Duration,
}

/// What a plugin call came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PluginRunOutcome {
    /// A filter let it through.
    Passed,
    /// A filter or transform dropped it.
    Dropped(String),
    /// A transform left it as it was.
    Unchanged,
    /// A transform replaced the request.
    Replaced,
    /// The call failed; the sentence says how.
    Failed(String),
}

/// The request that a transform put in place of the default one. Stored, so that every retry sends the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomRequest {
    /// The body that is signed and sent.
    pub body: Bytes,
    /// `content-type`, when it is not `application/json`.
    pub content_type: Option<String>,
    /// Headers added or replaced.
    pub set_headers: Vec<Header>,
    /// Names of default headers that are left out.
    pub remove_headers: Vec<String>,
}

/// One POST of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u16,
    /// When it began.
    pub started_at: UnixMs,
    /// From the first byte of work (name resolution) to the last byte of the answer that was read.
    pub took: Duration,
    /// The headers that were sent.
    pub request_headers: Vec<Header>,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// The receiver answered.
    Answered {
        /// The status code; 2xx is success.
        status: u16,
        /// The headers of the answer.
        headers: Vec<Header>,
        /// The first 16 KiB of the body.
        body: Bytes,
        /// Whether there was more.
        truncated: bool,
    },
    /// There was no complete answer.
    Failed(AttemptError),
}

/// Why there was no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    /// The kind, for statistics and programs.
    pub class: AttemptErrorClass,
    /// A sentence for people.
    pub message: String,
    /// The status, if the answer began.
    pub status: Option<u16>,
}

/// The kinds of attempts without a complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptErrorClass {
    /// The address is one that deliveries must not go to.
    Forbidden,
    /// The name did not resolve.
    Dns,
    /// The connection was refused, or the host or network is unreachable.
    Connect,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// The TLS handshake failed: the certificate, its name or its date, or the protocol.
    Tls,
    /// No TLS session within its timeout.
    TlsTimeout,
    /// The connection broke, or what came back is not HTTP.
    Protocol,
    /// No status line within the time for the whole attempt.
    ResponseTimeout,
    /// The answer began but did not end within the time for the whole attempt.
    BodyTimeout,
}

/// A delivery that is ready to be attempted, with all that the attempt needs in memory.
#[derive(Debug, Clone)]
pub struct Job {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// How many attempts were made before.
    pub attempts: u16,
    /// How many of them came before its retry schedule began: none, unless it was over and somebody had it sent again.
    pub schedule_from: u16,
    /// What is delivered.
    pub event: Arc<Event>,
    /// What a transform made of it, if one did.
    pub custom: Option<Arc<CustomRequest>>,
    /// Those that it goes after and before, if its endpoint has an order.
    pub line: Option<Line>,
}

impl Job {
    /// How many attempts of the retry schedule there were once the attempt of this number is made.
    #[must_use]
    pub const fn tries_at(&self, number: u16) -> u16 {
        number.saturating_sub(self.schedule_from)
    }
}

impl Delivery {
    /// Whether the filter and the plugins have to judge it before it can be sent again: nothing of it was ever sent, and
    /// what they said last is what stopped it, or may be old.
    #[must_use]
    pub const fn must_be_judged(&self) -> bool {
        self.state.judged_times().is_some() || self.state.is_final() && self.attempts == 0
    }

    /// The delivery as it stands while its endpoint is inactive: what waits for an attempt is held. It is stored as it
    /// was before, because deactivating an endpoint for which a million deliveries wait must not rewrite them.
    pub fn hold_while_inactive(&mut self) {
        self.state = self.state.while_inactive();
        if self.state == DeliveryState::Held(HoldReason::EndpointInactive) {
            self.due_at = None;
        }
    }
}

impl DeliveryState {
    /// This state while the endpoint is inactive.
    #[must_use]
    pub fn while_inactive(&self) -> Self {
        match self {
            Self::Pending | Self::Retrying => Self::Held(HoldReason::EndpointInactive),
            other @ (Self::Delivered
            | Self::Failed(_)
            | Self::Held(_)
            | Self::Filtered { .. }
            | Self::Cancelled) => other.clone(),
        }
    }

    /// Whether nothing will change any more, short of a person asking for it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Delivered | Self::Failed(_) | Self::Filtered { .. } | Self::Cancelled => true,
            Self::Pending | Self::Retrying | Self::Held(_) => false,
        }
    }

    /// How often dispatch tried to judge a delivery that waits for being judged; `None` if it does not.
    #[must_use]
    pub const fn judged_times(&self) -> Option<u16> {
        match self {
            Self::Held(
                HoldReason::PluginFailed { tries, .. } | HoldReason::FilterUnreadable { tries, .. },
            ) => Some(*tries),
            Self::Held(HoldReason::NoActiveSecret | HoldReason::EndpointInactive)
            | Self::Pending
            | Self::Retrying
            | Self::Delivered
            | Self::Failed(_)
            | Self::Filtered { .. }
            | Self::Cancelled => None,
        }
    }

    /// How often a plugin failed on a delivery that waits for it, while it worked otherwise.
    #[must_use]
    pub const fn faults(&self) -> u16 {
        if let Self::Held(HoldReason::PluginFailed { faults, .. }) = self { *faults } else { 0 }
    }

    /// The state without its reasons.
    #[must_use]
    pub const fn status(&self) -> DeliveryStatus {
        match self {
            Self::Pending => DeliveryStatus::Pending,
            Self::Retrying => DeliveryStatus::Retrying,
            Self::Delivered => DeliveryStatus::Delivered,
            Self::Failed(_) => DeliveryStatus::Failed,
            Self::Held(_) => DeliveryStatus::Held,
            Self::Filtered { .. } => DeliveryStatus::Filtered,
            Self::Cancelled => DeliveryStatus::Cancelled,
        }
    }

    /// The word that the API and the log use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.status().name()
    }
}

impl AttemptErrorClass {
    /// The word that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::TlsTimeout => "tls_timeout",
            Self::Protocol => "protocol",
            Self::ResponseTimeout => "response_timeout",
            Self::BodyTimeout => "body_timeout",
        }
    }
}

impl AttemptOutcome {
    /// Success is 2xx and nothing else.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered { status, .. } if (200..300).contains(status))
    }

    /// The status code, if an answer began.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Failed(error) => error.status,
        }
    }
}
