//! What the rows of an event take: keys and values, as retention counts them. What pages and branches add is measured at the
//! file ([`crate::store::StoreSize::overhead`]).

/// Of `events`: the key.
const EVENT: usize = 16;
/// Of `deliveries`: the key; of `endpoint_log`: all of the row, which goes with it.
const DELIVERY: usize = 18 + 34;
/// Of `custom`: the key.
const CUSTOM: usize = 18;
/// Of `attempts`: the key.
const ATTEMPT: usize = 20;
/// Of `ids`: the kind, the value, and where the texts end.
const ID: usize = 1 + 32 + 8;

/// A row of `events`.
pub(super) fn event(row: usize) -> i64 {
    signed(EVENT + row)
}

/// A row of `deliveries`, with that of `endpoint_log`.
pub(super) fn delivery(row: usize) -> i64 {
    signed(DELIVERY + row)
}

/// A row of `custom`.
pub(super) fn custom(row: usize) -> i64 {
    signed(CUSTOM + row)
}

/// A row of `attempts`.
pub(super) fn attempt(row: usize) -> i64 {
    signed(ATTEMPT + row)
}

/// A row of `ids`.
pub(super) fn id(text: &str, tenant: &str) -> i64 {
    signed(ID + text.len() + tenant.len())
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
