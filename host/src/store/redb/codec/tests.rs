//! The bytes of stored rows, pinned; and what is made of bytes that are none.

use proptest::prelude::*;

use super::roster::Roster;
use super::*;
use crate::model::{AttemptError, AttemptErrorClass, AttemptOutcome, FailReason, FilteredBy, Header};
use crate::store::conformance::fixtures::{
    T0, attempt, custom_request, endpoint_id, held_by, plugin_run, trace,
};

fn event(own: bool) -> Event {
    Event {
        key: EventKey::new(T0, 1),
        id: if own { "order-1".parse().unwrap() } else { EventKey::new(T0, 1).into() },
        tenant: TenantId::default(),
        topic: "a/b".parse().unwrap(),
        timestamp: if own { jiff::Timestamp::UNIX_EPOCH } else { timestamp_of(T0) },
        accepted_at: T0,
        data: Bytes::from_static(b"[1]"),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    }
}

fn row() -> DeliveryRow {
    DeliveryRow {
        endpoint: endpoint_id(1),
        state: held_by("jq"),
        attempts: 2,
        created_at: T0,
        due_at: Some(T0),
        finished_at: None,
        plugins: vec![plugin_run()],
        has_custom: true,
        last: Some(LastAttempt { status: Some(500), took: Duration::from_millis(3) }),
        schedule_from: 0,
        entered_at: None,
    }
}

fn failed_attempt() -> Attempt {
    let error =
        AttemptError { class: AttemptErrorClass::BodyTimeout, message: "slow".to_owned(), status: Some(200) };
    Attempt { outcome: AttemptOutcome::Failed(error), ..attempt(1, 200) }
}

fn held_with_faults(count: u16) -> DeliveryState {
    let mut state = held_by("jq");
    if let DeliveryState::Held(HoldReason::PluginFailed { faults, .. }) = &mut state {
        *faults = count;
    }
    state
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const ROSTER: &str = "01898080808080808080808080e4a1a1a18e03020461636d6506676c6f62657803818080808080808080808080e4a1a1a18e0300ac02828080808080808080808080e4a1a1a18e030100858080808080808080808080e4a1a1a18e030007";

/// If this fails, the change that made it fail needs a new version of the row, and a reader of the old one.
#[test]
fn stored_bytes_never_change() {
    let mut whole = event_header(&event(true), true, true);
    whole.extend_from_slice(b"[1]");
    assert_eq!(hex(&whole), format!("03{}{}", crc_of(OWN_EVENT), hex(&OWN_EVENT)));
    assert_eq!(crc_of(OWN_EVENT), "3ab9f5c0");
    let behind_its_checksum = |hex: &str| format!("03{}{hex}", crc_of(bytes_of(&format!("{hex}5b315d"))));
    assert_eq!(
        hex(&event_header(&event(false), false, false)),
        behind_its_checksum("01000764656661756c7403612f6200c09c9494e431")
    );
    let test = Event { test_of: Some(endpoint_id(1)), ..event(false) };
    assert_eq!(
        hex(&event_header(&test, false, false)),
        behind_its_checksum("02818080808080808080808080e4a1a1a18e03000764656661756c7403612f6200c09c9494e431")
    );
    let traced = Event { trace: Some(trace()), ..event(false) };
    assert_eq!(
        hex(&event_header(&traced, false, false)),
        behind_its_checksum(
            "04b68eb9f0d0d3a4e7a3cdb69afbaecd97f99701b785a4dda0f59978010111636f6e676f3d7436317263576b674d7a4500000764656661756c7403612f6200c09c9494e431"
        )
    );
    let traced_test = Event { test_of: Some(endpoint_id(1)), ..traced };
    assert_eq!(
        hex(&event_header(&traced_test, false, false)),
        behind_its_checksum(
            "04b68eb9f0d0d3a4e7a3cdb69afbaecd97f99701b785a4dda0f59978010111636f6e676f3d7436317263576b674d7a4501818080808080808080808080e4a1a1a18e03000764656661756c7403612f6200c09c9494e431"
        )
    );
    assert_eq!(
        hex(&encode_delivery(&row())),
        "01818080808080808080808080e4a1a1a18e030400026a7107747261707065640102c09c9494e43101c09c9494e43100010a63656c2d66696c74657210303132333435363738396162636465660000e05d010101f40300c08db701"
    );
    let restarted = DeliveryRow { schedule_from: 300, ..row() };
    assert_eq!(
        hex(&encode_delivery(&restarted)),
        "02ac02818080808080808080808080e4a1a1a18e030400026a7107747261707065640102c09c9494e43101c09c9494e43100010a63656c2d66696c74657210303132333435363738396162636465660000e05d010101f40300c08db701"
    );
    let faulty = DeliveryRow { schedule_from: 300, state: held_with_faults(4), ..row() };
    assert_eq!(
        hex(&encode_delivery(&faulty)),
        "0304ac02818080808080808080808080e4a1a1a18e030400026a7107747261707065640102c09c9494e43101c09c9494e43100010a63656c2d66696c74657210303132333435363738396162636465660000e05d010101f40300c08db701"
    );
    assert_eq!(
        hex(&encode(&attempt(1, 200))),
        "0101a8a49494e43100c0a6d211010a776562686f6f6b2d6964056576745f3100c8010106736572766572017809616e20616e7377657200"
    );
    assert_eq!(
        hex(&encode(&failed_attempt())),
        "0101a8a49494e43100c0a6d211010a776562686f6f6b2d6964056576745f31010804736c6f7701c801"
    );
    assert_eq!(hex(&encode_custom(&custom_request())), format!("02{}{CUSTOM}", crc_of(bytes_of(CUSTOM))));
    let (end, waiting) = roster();
    assert_eq!(hex(&Roster::encode(end, &waiting)), format!("01{}{ROSTER}", crc_of(bytes_of(ROSTER))));
}

fn roster() -> (EventKey, Vec<(EventKey, Weight)>) {
    let waits = |n, tenant: &str, bytes| {
        let tenant = tenant.parse().unwrap();
        (EventKey::new(T0, n), Weight { tenant, bytes })
    };
    let waiting = vec![waits(1, "acme", 300), waits(2, "globex", 0), waits(5, "acme", 7)];
    (EventKey::new(T0, 9), waiting)
}

#[test]
fn a_roster_is_read_as_it_was_written_or_not_at_all() {
    let (end, waiting) = roster();
    let row = Roster::encode(end, &waiting);
    assert_eq!(Roster::decode(&row).unwrap(), Roster { end, waiting });
    for at in 0..row.len() {
        let mut changed = row.clone();
        changed[at] ^= 1;
        assert!(Roster::decode(&changed).is_err() && Roster::decode(&row[..at]).is_err(), "{at}");
    }
}

/// Rows as they were before they had a checksum.
#[test]
fn rows_of_earlier_versions_are_read() {
    let read = EventRow::parse(&OWN_EVENT).unwrap().to_event(EventKey::new(T0, 1)).unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", event(true)));
    let test =
        bytes_of("02818080808080808080808080e4a1a1a18e03000764656661756c7403612f6200c09c9494e4315b315d");
    let read = EventRow::parse(&test).unwrap().to_event(EventKey::new(T0, 1)).unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", Event { test_of: Some(endpoint_id(1)), ..event(false) }));
    assert_eq!(decode_custom(&bytes_of(CUSTOM)).unwrap(), *custom_request());
}

/// Whichever bit changes on the disk: what is read is what was written, or nothing.
#[test]
fn a_payload_that_was_changed_on_the_disk_does_not_leave_the_store() {
    let mut row = event_header(&event(true), true, true);
    row.extend_from_slice(b"[1]");
    let custom = encode_custom(&custom_request());
    for bit in 0..row.len() * 8 {
        let mut changed = row.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let read = EventRow::parse(&changed).and_then(|row| row.to_event(EventKey::new(T0, 1)));
        assert!(read.is_err(), "bit {bit}");
    }
    for bit in 0..custom.len() * 8 {
        let mut changed = custom.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(decode_custom(&changed).is_err(), "bit {bit}");
    }
    let told = decode_custom(&[2, 0, 0, 0, 0, 1]).unwrap_err().to_string();
    assert!(told.contains("`custom` was changed on the disk"), "{told}");
}

const CUSTOM: &str = "011600ff206d6164652062792061207472616e73666f726d010a746578742f706c61696e0103782d6101e4010d686f6f6b7761792d746f706963";
/// `0101076f726465722d310764656661756c7403612f620100c09c9494e4315b315d`: the row of an event with an id of its producer.
const OWN_EVENT: [u8; 33] = *b"\x01\x01\x07order-1\x07default\x03a/b\x01\x00\xc0\x9c\x94\x94\xe4\x31[1]";

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// CRC-32 as zlib has it, little endian.
fn crc_of(row: impl AsRef<[u8]>) -> String {
    hex(&crc32fast::hash(row.as_ref()).to_le_bytes())
}

#[test]
fn who_filtered_a_delivery_is_stored_as_a_plugins_name_or_as_the_empty_text() {
    let plugin = FilteredBy::Plugin("jq".parse().unwrap());
    for (by, bytes) in [(plugin, "0105026a71026e6f"), (FilteredBy::Filter, "010500026e6f")] {
        let state = DeliveryState::Filtered { by, reason: "no".to_owned() };
        assert_eq!(hex(&encode(&state)), bytes);
        assert_eq!(decode::<DeliveryState>("deliveries", &encode(&state)).unwrap(), state);
    }
}

#[test]
fn rows_are_read_as_they_were_written() {
    for (own, test_of, trace) in [
        (true, None, None),
        (false, None, None),
        (true, Some(endpoint_id(1)), None),
        (true, None, Some(trace())),
        (false, Some(endpoint_id(1)), Some(trace())),
    ] {
        let written = Event { test_of, trace, ..event(own) };
        let mut bytes = event_header(&written, own, own);
        bytes.extend_from_slice(b"[1]");
        let read = EventRow::parse(&bytes).unwrap().to_event(EventKey::new(T0, 1)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
    }
    for (schedule_from, faults) in [(0, 0), (1, 0), (u16::MAX, 0), (0, 1), (300, 4)] {
        let written = DeliveryRow { schedule_from, state: held_with_faults(faults), ..row() };
        assert_eq!(decode_delivery(&encode_delivery(&written)).unwrap(), written);
    }
    assert_eq!(decode::<Attempt>("attempts", &encode(&failed_attempt())).unwrap(), failed_attempt());
    let custom = custom_request();
    assert_eq!(decode_custom(&encode_custom(&custom)).unwrap(), *custom);
}

#[test]
fn a_row_of_a_newer_version_is_named_as_such() {
    let error = decode::<Attempt>("attempts", &[2, 0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a row of `attempts` has the version Some(2), which this Hookway does not know"
    );
    assert!(EventRow::parse(&[]).is_err());
}

fn reason() -> impl Strategy<Value = DeliveryState> {
    let held = |message: String, tries: u16, faults: u16| {
        let plugin = "jq".parse().unwrap();
        DeliveryState::Held(HoldReason::PluginFailed { plugin, message, tries, faults })
    };
    prop_oneof![
        Just(DeliveryState::Pending),
        Just(DeliveryState::Retrying),
        Just(DeliveryState::Delivered),
        Just(DeliveryState::Cancelled),
        Just(DeliveryState::Failed(FailReason::Exhausted)),
        Just(DeliveryState::Held(HoldReason::NoActiveSecret)),
        any::<String>().prop_map(|reason| DeliveryState::Filtered { by: FilteredBy::Filter, reason }),
        any::<(String, u16, u16)>().prop_map(move |(message, tries, faults)| held(message, tries, faults)),
    ]
}

fn any_row() -> impl Strategy<Value = DeliveryRow> {
    let last = prop::option::of(any::<(Option<u16>, u32)>()).prop_map(|last| {
        last.map(|(status, took)| LastAttempt { status, took: Duration::from_micros(took.into()) })
    });
    let times = any::<(u64, Option<u64>, Option<u64>, Option<u64>)>();
    (any::<(u128, u16, u16, bool)>(), reason(), times, last).prop_map(|(numbers, state, times, last)| {
        let (endpoint, attempts, schedule_from, has_custom) = numbers;
        let (created_at, due_at, finished_at, entered_at) = times;
        DeliveryRow {
            endpoint: EndpointId::from_u128(endpoint),
            state,
            attempts,
            created_at: UnixMs(created_at),
            due_at: due_at.map(UnixMs),
            finished_at: finished_at.map(UnixMs),
            plugins: vec![plugin_run()],
            has_custom,
            last,
            schedule_from,
            entered_at: entered_at.map(UnixMs),
        }
    })
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    let answered = (any::<u16>(), prop::collection::vec(any::<u8>(), 0..40), any::<bool>()).prop_map(
        |(status, body, truncated)| AttemptOutcome::Answered {
            status,
            headers: vec![Header { name: "x-a".into(), value: body.clone().into() }],
            body: body.into(),
            truncated,
        },
    );
    let failed = (any::<String>(), any::<Option<u16>>()).prop_map(|(message, status)| {
        AttemptOutcome::Failed(AttemptError { class: AttemptErrorClass::Protocol, message, status })
    });
    (any::<(u16, u64, u64)>(), prop_oneof![answered, failed]).prop_map(|((number, at, took), outcome)| {
        Attempt {
            number,
            started_at: UnixMs(at),
            took: Duration::from_nanos(took),
            request_headers: Vec::new(),
            outcome,
        }
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read(row in any_row(), attempt in any_attempt()) {
        let read = decode_delivery(&encode_delivery(&row)).unwrap();
        // Where a field is not stored in every version, what is stored of it is what counts.
        prop_assert_eq!(encode_delivery(&read), encode_delivery(&row));
        prop_assert_eq!((read.state, read.due_at, read.attempts), (row.state, row.due_at, row.attempts));
        prop_assert_eq!(decode::<Attempt>("attempts", &encode(&attempt)).unwrap(), attempt);
    }

    #[test]
    fn a_row_that_is_cut_off_is_refused(row in any_row(), cut in any::<prop::sample::Index>()) {
        let bytes = encode_delivery(&row);
        let cut = cut.index(bytes.len());
        // What was added at the end may be missing: rows of an earlier version had less.
        if let Ok(read) = decode_delivery(&bytes[..cut]) {
            prop_assert_eq!((read.endpoint, read.state.status()), (row.endpoint, row.state.status()));
        }
    }

    #[test]
    fn hostile_bytes_are_refused_without_a_panic(mut bytes: Vec<u8>) {
        bytes.insert(0, TEST_EVENT);
        let _ = EventRow::parse(&bytes).and_then(|row| row.to_event(EventKey::new(T0, 1)));
        bytes[0] = VERSION;
        let _ = EventRow::parse(&bytes).and_then(|row| row.to_event(EventKey::new(T0, 1)));
        let _ = decode_delivery(&bytes);
        bytes[0] = TRACED_EVENT;
        let _ = EventRow::parse(&bytes).and_then(|row| row.to_event(EventKey::new(T0, 1)));
        bytes[0] = RESTARTED_DELIVERY;
        let _ = decode_delivery(&bytes);
        bytes[0] = FAULTY_DELIVERY;
        let _ = decode_delivery(&bytes);
        bytes[0] = VERSION;
        let _ = decode::<Attempt>("attempts", &bytes);
        let _ = decode_custom(&bytes);
        bytes[0] = CHECKED_EVENT;
        let _ = EventRow::parse(&bytes).and_then(|row| row.to_event(EventKey::new(T0, 1)));
        bytes[0] = CHECKED_CUSTOM;
        let _ = decode_custom(&bytes);
    }
}
