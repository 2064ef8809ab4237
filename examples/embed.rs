//! The whole service inside your own program, over the memory store, with two clients after one
//! slot. `cargo run -p booking-examples --bin embed`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use booking_core::{
    Actor, BookRequest, Booking, BookingError, By, Clock, DirectoryAdmin, Email, Hub, ManualClock,
    MemoryStore, NewAvailability, RandomIds, Recorded, Refusal, Relay, Role, SessionDuration,
    SubscriberId, SystemClock, SystemName, Text, User, UserId, Window, sink_fn,
};
use chrono::{NaiveDate, Weekday};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(ManualClock::new("2024-01-01T12:00:00Z".parse()?));
    let booking = Booking::new(store.clone(), store.clone(), clock.clone(), Arc::new(RandomIds));

    // What a message bus would be told. A service runs this in a task of its own: `relay.run(…)`.
    let printer = sink_fn(|event: Recorded| async move {
        println!("event {}: {}", event.sequence, event.event.payload.name());
        Ok(())
    });
    let relay = Relay::new(store.clone(), Hub::default(), clock);
    let relay = relay.with_sink(SubscriberId::new("printer")?, Arc::new(printer)).await?;

    let jane = join(store.as_ref(), "therapist_456", Role::Therapist).await?;
    let john = join(store.as_ref(), "client_123", Role::Client).await?;
    let maria = join(store.as_ref(), "client_124", Role::Client).await?;
    store.relate(&john.id, &jane.id, by()).await?;
    store.relate(&maria.id, &jane.id, by()).await?;

    let window = Window::new("09:00".parse()?, "12:00".parse()?).ok_or("empty window")?;
    let mondays = NewAvailability { weekday: Weekday::Mon, window, notes: None };
    booking.add_availability(&jane, &mondays, None).await?;

    let monday = NaiveDate::from_ymd_opt(2024, 1, 15).ok_or("no such date")?;
    let slots = booking.slots(&john, &jane.id, monday).await?;
    let start = slots[0].start;
    println!("{} starts on {monday}, the first at {}", slots.len(), start.instant());

    // Both want the first one, at the same time.
    let request = BookRequest::new(jane.id.clone(), start, SessionDuration::Hour);
    let both =
        tokio::join!(booking.book(&john, &request, None), booking.book(&maria, &request, None));
    for (who, result) in [(&john, both.0), (&maria, both.1)] {
        match result {
            Ok(booked) => println!("{} has it: {}", who.id, booked.value.meeting.id),
            Err(BookingError::Refused(Refusal::SlotConflict)) => println!("{}: taken", who.id),
            Err(other) => return Err(other.into()),
        }
    }

    relay.pass().await?;
    Ok(())
}

/// For the audit log: who keeps the directory.
fn by() -> By {
    By::system(SystemName::of("embed"), SystemClock.now(), &RandomIds)
}

/// Makes a user known, and speaks for them.
async fn join(
    directory: &dyn DirectoryAdmin,
    id: &str,
    role: Role,
) -> Result<Actor, Box<dyn std::error::Error>> {
    let user = User {
        id: UserId::new(id)?,
        role,
        first_name: Text::new("Somebody")?,
        last_name: Text::new("Else")?,
        email: Email::new(format!("{id}@example.com"))?,
        zone: None,
    };
    directory.put_user(&user, by()).await?;
    Ok(Actor { id: user.id, role })
}
