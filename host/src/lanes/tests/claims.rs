//! Deliveries that are taken out of their lane, and how much room it has.

use super::*;

const LANE: u128 = 1;

fn id(n: u128) -> DeliveryId {
    DeliveryId { event: EventKey::from_u128(n), ordinal: 0 }
}

#[test]
fn what_is_claimed_does_not_start_until_it_is_put_back_and_read_again() {
    let mut schedule = schedule(100, 100, 100);
    for n in 1..=3 {
        assert!(schedule.offer(job(endpoint(LANE), n), NOW, false));
    }
    assert!(schedule.claim(endpoint(LANE), id(2)));
    assert!(!schedule.claim(endpoint(LANE), id(2)), "one at a time");
    assert_eq!(runs(&mut schedule), [(LANE, 1), (LANE, 3)]);
    schedule.put_back(endpoint(LANE), id(2));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(loaded, _) if loaded == endpoint(LANE)));
    schedule.loaded(endpoint(LANE), Due { jobs: vec![job(endpoint(LANE), 2)], next: None });
    assert_eq!(runs(&mut schedule), [(LANE, 2)]);
}

#[test]
fn what_is_under_way_or_not_recorded_cannot_be_claimed() {
    let mut schedule = schedule(100, 100, 100);
    assert!(schedule.offer(job(endpoint(LANE), 1), NOW, false));
    assert_eq!(runs(&mut schedule), [(LANE, 1)]);
    assert!(!schedule.claim(endpoint(LANE), id(1)));
    sent(&mut schedule, endpoint(LANE), id(1), true);
    assert!(!schedule.claim(endpoint(LANE), id(1)));
    schedule.settled(endpoint(LANE), id(1), None);
    assert!(schedule.claim(endpoint(LANE), id(1)));
    schedule.put_back(endpoint(LANE), id(1));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    schedule.loaded(endpoint(LANE), Due::default());
    assert!(schedule.is_empty());
}

#[test]
fn what_is_claimed_is_taken_neither_from_dispatch_nor_from_a_load() {
    let mut schedule = schedule(100, 100, 100);
    schedule.stored(endpoint(LANE), NOW);
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)));
    assert!(schedule.claim(endpoint(LANE), id(1)));
    schedule.loaded(endpoint(LANE), Due { jobs: vec![job(endpoint(LANE), 1)], next: None });
    assert!(!schedule.offer(job(endpoint(LANE), 1), NOW, false));
    assert_eq!(runs(&mut schedule), []);
    schedule.put_back(endpoint(LANE), id(1));
    assert!(matches!(schedule.next(NOW, unlimited), Step::Load(..)), "the store knows what became of it");
}

#[test]
fn there_is_room_for_a_part_of_what_starts_at_once_and_none_while_anything_waits() {
    let mut schedule = schedule(100, 64, 100);
    let room = |schedule: &mut Schedule, limits| schedule.room(endpoint(LANE), limits, NOW);
    let limited = |rate, burst| Limits { rate, burst, order: None };
    assert_eq!(room(&mut schedule, Limits::default()), 32);
    assert_eq!(room(&mut schedule, limited(0, 4)), 2);
    assert_eq!(room(&mut schedule, limited(0, 1)), 1);
    assert_eq!(room(&mut schedule, limited(100, 0)), 10);
    assert_eq!(room(&mut schedule, limited(1, 0)), 1);
    assert!(schedule.offer(job(endpoint(LANE), 1), NOW, false));
    assert_eq!(room(&mut schedule, Limits::default()), 0, "it waits for its turn");
    assert_eq!(runs(&mut schedule), [(LANE, 1)]);
    assert_eq!(room(&mut schedule, Limits::default()), 31);
    assert_eq!(room(&mut schedule, limited(0, 2)), 0);
    schedule.stored(endpoint(LANE), UnixMs(NOW.0 + 1));
    assert_eq!(room(&mut schedule, Limits::default()), 31, "a retry that is not due yet");
    schedule.stored(endpoint(LANE), NOW);
    assert_eq!(room(&mut schedule, Limits::default()), 0);
    schedule.pause(endpoint(LANE));
    assert_eq!(room(&mut schedule, Limits::default()), 0);
}
