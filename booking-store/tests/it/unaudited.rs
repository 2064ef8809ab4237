//! Changes whose entry of the audit log cannot be written.

use booking_core::testing::World;
use booking_core::testing::fixtures::{
    as_client, as_therapist, by, client, hour, id, now, other_therapist, text, therapist, user,
    window,
};
use booking_core::{
    Added, AvailabilityPatch, BookingError, ExpectedVersion, NewAvailability, Replay, Subscriber,
    SubscriberId, User, UserId,
};
use chrono::Weekday;

fn crm() -> SubscriberId {
    SubscriberId::new("crm").unwrap()
}

/// Nobody's client yet.
fn someone() -> UserId {
    id("someone")
}

fn subscriber(id: SubscriberId) -> Subscriber {
    let settings = serde_json::Value::Null;
    Subscriber { id, event_types: [].into(), is_active: true, settings, created_at: now() }
}

/// Something of each kind that could be changed.
pub(crate) async fn prepare(world: &World) {
    world.open(&therapist()).await;
    world.book_hour(hour(9)).await.unwrap();
    world.publish().await;
    let added = world.outbox().add_subscriber(&subscriber(crm()), by()).await;
    assert_eq!(added.unwrap(), Added::Done);
    world.directory().put_user(&user(&someone()), by()).await.unwrap();
}

/// Everything that can be changed fails, and is as it was.
pub(crate) async fn assert_refused(world: &World) {
    let outbox = world.outbox();
    let before = (world.everything().await, outbox.subscribers().await.unwrap());
    let backlog = outbox.backlog().await.unwrap();
    let failed = [by_service(world).await, by_admin(world).await].concat();
    assert_eq!(failed, [true; 13]);
    let after = (world.everything().await, outbox.subscribers().await.unwrap());
    assert_eq!(after, before);
    assert_eq!(outbox.backlog().await.unwrap(), backlog);
    assert!(outbox.remove_subscriber(&crm(), by()).await.is_err());
    assert_eq!(outbox.subscribers().await.unwrap(), before.1);
    let directory = world.directory();
    assert!(directory.related(&client(), &therapist()).await.unwrap());
    assert!(!directory.related(&someone(), &therapist()).await.unwrap());
}

fn fails<T>(outcome: Result<T, impl Into<BookingError>>) -> bool {
    matches!(outcome.map_err(Into::into), Err(BookingError::Store(_)))
}

/// Whether each fails in the store.
async fn by_service(world: &World) -> Vec<bool> {
    let (john, jane, any) =
        (as_client(&client()), as_therapist(&therapist()), ExpectedVersion::Any);
    let booking = &world.booking;
    let meeting = world.meetings_of(&client()).await.remove(0);
    let slot = world.hours(&therapist()).await.remove(0);
    let less = AvailabilityPatch { is_available: Some(false), ..AvailabilityPatch::default() };
    let new = NewAvailability { weekday: Weekday::Sun, window: window(0, 60), notes: None };
    let other = as_therapist(&other_therapist());
    vec![
        fails(world.book_hour(hour(12)).await),
        fails(world.move_to(&meeting, hour(14)).await),
        fails(booking.cancel(&john, meeting.id, Some(&text("why")), &any).await),
        fails(booking.add_availability(&other, &new, None).await),
        fails(booking.update_availability(&jane, slot.id, &less).await),
        fails(booking.delete_availability(&jane, slot.id).await),
    ]
}

/// The same of what admins do.
async fn by_admin(world: &World) -> Vec<bool> {
    let (directory, outbox) = (world.directory(), world.outbox());
    let moved = User { zone: Some(chrono_tz::Asia::Tokyo), ..user(&therapist()) };
    let switch_off = |subscriber: &mut Subscriber| subscriber.is_active = false;
    let all = Replay { from: 0, to: u64::MAX, only_dead: false, limit: 10, now: now() };
    let another = subscriber(SubscriberId::new("another").unwrap());
    vec![
        fails(directory.put_user(&user(&id("somebody")), by()).await),
        fails(directory.put_user(&moved, by()).await),
        fails(directory.relate(&someone(), &therapist(), by()).await),
        fails(directory.unrelate(&client(), &therapist(), by()).await),
        fails(outbox.add_subscriber(&another, by()).await),
        fails(outbox.change_subscriber(&crm(), &switch_off, by()).await),
        fails(outbox.replay(&crm(), &all, by()).await),
    ]
}
