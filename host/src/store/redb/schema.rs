//! The tables, what a row of each costs, and why it exists. `docs/storage-format.md` says the same to people.
//!
//! Rows written, so B-tree changes made, on the hot path:
//!
//! | step | rows | which |
//! |---|---|---|
//! | accept an event | 1 | `events`, appended |
//! | ... with an id or `Idempotency-Key` of the producer | +1 each | `ids`, so that a repeat is found |
//! | fan out, per delivery | 3 | `deliveries` (appended), `queue` (what is due survives a crash), `endpoint_log` |
//! | ... with a request that a transform made | +1 | `custom`, so that every retry sends the same bytes |
//! | ... to an endpoint with an order | +1 | `ordered`, so that its lines are read without their events |
//! | finish an attempt | 3 | `queue` -1 (and +1 if it is retried), `deliveries` replaced, `attempts` +1 |
//! | ... to an endpoint with an order | +1 | `ordered` -1, or replaced |
//! | fan out and finish in one transaction | 3 | `deliveries`, `endpoint_log`, `attempts`: nothing waits, nothing is replaced |
//! | ... the first failure of an endpoint, or the first success after one | +1 or -1 | `failing` |
//! | a commit | at most 2 | `meta`, the low watermark of dispatch; `changes`, appended |
//! | a key that a plugin sets or deletes | 2 | `kv`, `kv_usage`; +1 for one that expires, `kv_expiry` |
//! | about 1,000 events and deliveries | 2 | `blocks` and `block_states`, appended: what lists are filtered by |
//! | about 8,000 changes of deliveries | 2 for each scope that is counted | `statistics`, and `standing` |
//! | ... | 1 for each tenant that has them | `backlog` |
//! | about 4,000 events that dispatch does not keep up with | 1 | `rosters`, so that a start does not read them |
//!
//! There is no index of the log by tenant, topic or state. Each would cost a row at a random place for every event or delivery, so
//! a page of 4 KiB in the commit; blocks answer all of them and their combinations for some 35 bytes. `endpoint_log` is such an
//! index: a recovery walks it, and asks it whether an endpoint got an event.
//!
//! `ordered` is what `queue` and `endpoint_holds` say of an endpoint, by event. Without it, whoever looks for the next of a
//! line reads all that waits, and its events for the lines. Endpoints without an order have no rows in it and pay with two
//! looks into tables that are small, and empty while nobody orders. Its rows are true wherever they are: they change
//! with the delivery, whatever its endpoint asks for by then. `orders` says of which endpoints all are there.
//!
//! Keys that people page through start with what they are asked by, then the [`EventKey`], then the ordinal: one
//! range answers one question, in the order of time.

use redb::{
    ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition, Value,
    WriteTransaction,
};

use super::failure::Failure;
use super::upkeep::{Noted, sealed_below};
use crate::model::{DeliveryId, EventKey};
use crate::store::EachRow;

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u128 = 5;
/// The format before: there was no write-ahead log, so an older Hookway would forget what is in it.
pub(super) const FORMAT_4: u128 = 4;
/// The format before that: the log had no blocks, journal and statistics.
pub(super) const FORMAT_3: u128 = 3;
/// The format before that: ordered endpoints had no index.
pub(super) const FORMAT_2: u128 = 2;
/// The first: rows of endpoints had their secrets in clear.
pub(super) const FORMAT_1: u128 = 1;
/// `meta`: the format of the file.
pub(super) const META_FORMAT: &str = "format";
/// `meta`: every event below this key is dispatched.
pub(super) const META_DISPATCHED_BELOW: &str = "dispatched_below";
/// `meta`: every change below this number is in the statistics.
pub(super) const META_FOLDED_BELOW: &str = "folded_below";
/// `meta`: every change below this number is in `backlog`.
pub(super) const META_COUNTED_BELOW: &str = "counted_below";

/// `meta`: bytes of the rows of events and of all rows that belong to them.
pub(super) const META_ROW_BYTES: &str = "row_bytes";
/// `meta`: how many thousandths of these bytes the file took when it grew last.
pub(super) const META_OVERHEAD: &str = "overhead";
/// `meta`: when a backup was handed over last, in milliseconds since 1970.
pub(super) const META_BACKED_UP: &str = "backed_up";
/// `meta`: the generation of the write-ahead log up to which all of it is in the tables.
pub(super) const META_LOGGED: &str = "logged";

/// [`DeliveryId`] as a key.
pub(super) type DeliveryKey = (u128, u16);

/// Defines the tables once: as constants for readers and as one struct of open tables for the writer.
macro_rules! tables {
    ($($(#[$doc:meta])* $constant:ident, $field:ident: $key:ty => $value:ty;)*) => {
        $($(#[$doc])*
        pub(super) const $constant: TableDefinition<'static, $key, $value> =
            TableDefinition::new(stringify!($field));)*

        /// All tables, open in one write transaction.
        pub(super) struct Tables<'t> {
            $(pub(super) $field: Table<'t, $key, $value>,)*
            /// What is left to be done before the commit.
            pub(super) noted: Noted,
        }

        impl<'t> Tables<'t> {
            /// Opens them; those that are missing are created.
            pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Failure> {
                let mut tables =
                    Self { $($field: transaction.open_table($constant)?,)* noted: Noted::default() };
                tables.noted.sealed_below = sealed_below(&tables.blocks)?;
                Ok(tables)
            }

            /// Stores a row of a table by the bytes of a snapshot; false if there is no such table. Bytes that are no row
            /// may panic.
            pub(super) fn put_row(&mut self, table: &str, key: &[u8], value: &[u8]) -> Result<bool, Failure> {
                $(if table == stringify!($field) {
                    self.$field.insert(<$key as Value>::from_bytes(key), <$value as Value>::from_bytes(value))?;
                    return Ok(true);
                })*
                Ok(false)
            }
        }

        /// How many rows each table has.
        pub(super) fn count_rows(
            transaction: &ReadTransaction,
        ) -> Result<Vec<(&'static str, u64)>, Failure> {
            Ok(vec![$((stringify!($field), transaction.open_table($constant)?.len()?),)*])
        }

        /// Calls with the bytes of each row, until it says that it has enough.
        pub(super) fn each_row(
            transaction: &ReadTransaction,
            each: &mut EachRow<'_>,
        ) -> Result<(), Failure> {
            $(for row in transaction.open_table($constant)?.iter()? {
                let (key, value) = row?;
                let (key, value) = (key.value(), value.value());
                let key = <$key as Value>::as_bytes(&key);
                let value = <$value as Value>::as_bytes(&value);
                if !each(stringify!($field), key.as_ref(), value.as_ref()) {
                    return Ok(());
                }
            })*
            Ok(())
        }
    };
}

tables! {
    /// What is known about the file itself.
    META, meta: &'static str => u128;
    /// Event key -> header and the exact bytes of `data`.
    EVENTS, events: u128 => &'static [u8];
    /// Where a range of events begins -> where it ends, and which of them waited for dispatch, with tenant and size.
    ROSTERS, rosters: u128 => &'static [u8];
    /// Kind of key, key, tenant -> event key, content hash. The key comes before the tenant, so that an
    /// administrator finds an event by its id alone.
    IDS, ids: (u8, &'static str, &'static str) => (u128, u128);
    /// Ids of producers that have the form of ours and lie in the future: keys that are never assigned.
    RESERVED, reserved: u128 => ();
    /// Delivery -> where it stands.
    DELIVERIES, deliveries: DeliveryKey => &'static [u8];
    /// Delivery -> the request that a transform made.
    CUSTOM, custom: DeliveryKey => &'static [u8];
    /// Event key, ordinal, number of the attempt -> the attempt.
    ATTEMPTS, attempts: (u128, u16, u16) => &'static [u8];
    /// Endpoint, due time, delivery: those that wait for an attempt.
    QUEUE, queue: (u128, u64, u128, u16) => ();
    /// Plugin, due time, delivery: those that wait for a plugin.
    HOLDS, holds: (&'static str, u64, u128, u16) => ();
    /// Endpoint, delivery: the rows of `holds` by endpoint, so that deleting one finds them.
    ENDPOINT_HOLDS, endpoint_holds: (u128, u128, u16) => ();
    /// Endpoint, delivery -> order, line, due time: those that wait, of endpoints that have an order. Order 0: nobody has
    /// said the line yet. Due at the end of time: waits for a plugin.
    ORDERED, ordered: (u128, u128, u16) => (u64, u128, u64);
    /// Endpoint -> the order that it has, and whether all that waits for it is in `ordered`.
    ORDERS, orders: u128 => (u64, bool);
    /// Endpoint, delivery: what an endpoint got, for a recovery to walk.
    ENDPOINT_LOG, endpoint_log: (u128, u128, u16) => ();
    /// First event of a block -> what lists are filtered by, of all events of the block, in columns.
    BLOCKS, blocks: u128 => &'static [u8];
    /// First event of a block -> the states of its deliveries, one byte each.
    BLOCK_STATES, block_states: u128 => &'static [u8];
    /// Number of the first of them -> the changes of one commit.
    CHANGES, changes: u64 => &'static [u8];
    /// Kind and beginning of a stretch of time, scope -> what was counted in it.
    STATISTICS, statistics: (u8, u64, &'static [u8]) => &'static [u8];
    /// Scope -> how many deliveries are pending, retrying and held.
    STANDING, standing: &'static [u8] => (i64, i64, i64);
    /// Tenant -> how many deliveries are not over, and the bytes of their payloads.
    BACKLOG, backlog: &'static str => (i64, i64);
    /// Endpoint id -> the endpoint as JSON, its secrets sealed.
    ENDPOINTS, endpoints: u128 => &'static [u8];
    /// Endpoint -> since when all of its attempts failed. Written on the first failure and the next success only.
    FAILING, failing: u128 => u64;
    /// Tenant, URL -> endpoint id: one endpoint per tenant and URL.
    URLS, urls: (&'static str, &'static str) => u128;
    /// Key id -> the API key's record as JSON.
    KEYS, keys: u128 => &'static [u8];
    /// Tenant -> what is said about it, as JSON. No row: nothing.
    TENANTS, tenants: &'static str => &'static [u8];
    /// Topic -> what the catalogue says about it, as JSON.
    TOPICS, topics: &'static str => &'static [u8];
    /// Recovery -> the job and where it stands, as JSON.
    RECOVERIES, recoveries: u128 => &'static [u8];
    /// Endpoint -> the recovery of it that runs.
    RECOVERING, recovering: u128 => u128;
    /// Plugin -> the versions of it that are kept, as JSON. No row: none.
    PLUGINS, plugins: &'static str => &'static [u8];
    /// Tenant, plugin, key -> when it is gone, then what the plugin keeps under it.
    KV, kv: (&'static str, &'static str, &'static str) => &'static [u8];
    /// Time, tenant, plugin, key: what of `kv` expires, in the order in which it does.
    KV_EXPIRY, kv_expiry: (u64, &'static str, &'static str, &'static str) => ();
    /// Tenant, plugin -> bytes that are taken of the quota.
    KV_USAGE, kv_usage: (&'static str, &'static str) => u64;
    /// Number -> the hash of the row (32 bytes), then the audit entry as JSON. Only ever appended.
    AUDIT, audit: u64 => &'static [u8];
}

impl Tables<'_> {
    /// A row of `meta`.
    pub(super) fn meta(&self, name: &str) -> redb::Result<Option<u128>> {
        Ok(self.meta.get(name)?.map(|value| value.value()))
    }
}

/// A delivery's key.
pub(super) const fn delivery_key(id: DeliveryId) -> DeliveryKey {
    (id.event.as_u128(), id.ordinal)
}

/// The delivery of a key.
pub(super) const fn delivery_id(event: u128, ordinal: u16) -> DeliveryId {
    DeliveryId { event: EventKey::from_u128(event), ordinal }
}

/// The keys of all deliveries of an event.
pub(super) const fn deliveries_of(event: EventKey) -> std::ops::RangeInclusive<DeliveryKey> {
    (event.as_u128(), 0)..=(event.as_u128(), u16::MAX)
}
