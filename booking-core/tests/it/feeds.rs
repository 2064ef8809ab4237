//! Calendar feeds through the service: who may have which, and what is read there.

use std::sync::Arc;

use booking_core::testing::fixtures::{
    as_client, as_therapist, by, client, hour, id, meeting, now, other_client, therapist, user,
    window,
};
use booking_core::testing::{Harness, World};
use booking_core::{
    Actor, BookingError, CalendarFeed, CalendarFeeds, ExpectedVersion, FeedContent, FeedKey,
    Meeting, MeetingStatus, MemoryStore, NewFeed, Refusal, Role, Settings, User, Write,
};
use chrono::{TimeDelta, Weekday};
use chrono_tz::Tz;

async fn world() -> (World, CalendarFeeds) {
    let world = World::new(Harness::new(Arc::new(MemoryStore::default()), ())).await;
    let feeds = CalendarFeeds::new(world.booking.clone(), world.feeds());
    (world, feeds)
}

async fn add(
    feeds: &CalendarFeeds,
    actor: &Actor,
    content: FeedContent,
) -> Result<(CalendarFeed, FeedKey), BookingError> {
    feeds.add(actor, NewFeed { content, name: None }, [7; FeedKey::SECRET_BYTES]).await
}

async fn read(feeds: &CalendarFeeds, key: &FeedKey) -> Option<String> {
    match feeds.read(key).await {
        Ok(text) => Some(text),
        Err(BookingError::Refused(Refusal::FeedNotFound)) => None,
        Err(error) => panic!("{error}"),
    }
}

fn refusal<T>(outcome: Result<T, BookingError>) -> Refusal {
    match outcome {
        Err(BookingError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[tokio::test]
async fn who_may_have_which() {
    let (_world, feeds) = world().await;
    use FeedContent::{Availability, Times, Titles};
    let admin = Actor { id: id("admin_1"), role: Role::Admin };
    for content in [Times, Titles, Availability] {
        assert!(matches!(
            refusal(add(&feeds, &admin, content).await),
            Refusal::RoleRequired { .. }
        ));
        assert!(add(&feeds, &as_therapist(&therapist()), content).await.is_ok());
        let of_client = add(&feeds, &as_client(&client()), content).await;
        assert_eq!(of_client.is_ok(), content != Availability);
    }
    let stranger = add(&feeds, &as_client(&id("stranger")), Times).await;
    assert_eq!(refusal(stranger), Refusal::UserNotFound);
    for actor in [as_client(&client()), as_therapist(&therapist())] {
        let theirs = feeds.list(&actor).await.unwrap();
        assert!(!theirs.is_empty() && theirs.iter().all(|feed| feed.owner == actor.id));
    }
}

/// A key opens its feed until that is taken back, or its owner is not there any more.
#[tokio::test]
async fn keys_open_feeds_for_as_long_as_they_may() {
    let (world, feeds) = world().await;
    let jane = as_therapist(&therapist());
    let (feed, key) = add(&feeds, &jane, FeedContent::Times).await.unwrap();
    let (_, hours) = add(&feeds, &jane, FeedContent::Availability).await.unwrap();
    assert!(read(&feeds, &key).await.is_some() && read(&feeds, &hours).await.is_some());
    let wrong = FeedKey::new(key.id(), [8; FeedKey::SECRET_BYTES]);
    let of_another = FeedKey::new(hours.id(), [7; FeedKey::SECRET_BYTES]);
    assert!(read(&feeds, &wrong).await.is_none() && read(&feeds, &of_another).await.is_some());

    // Who becomes a client has no availability; who becomes an admin has no meetings either.
    for (role, has_meetings, has_hours) in
        [(Role::Client, true, false), (Role::Admin, false, false), (Role::Therapist, true, true)]
    {
        let changed = User { role, ..user(&therapist()) };
        world.directory().put_user(&changed, by()).await.unwrap();
        assert_eq!(read(&feeds, &key).await.is_some(), has_meetings);
        assert_eq!(read(&feeds, &hours).await.is_some(), has_hours);
    }
    assert_eq!(refusal(feeds.revoke(&as_client(&client()), feed.id).await), Refusal::FeedNotFound);
    feeds.revoke(&jane, feed.id).await.unwrap();
    assert!(read(&feeds, &key).await.is_none());
    assert_eq!(refusal(feeds.revoke(&jane, feed.id).await), Refusal::FeedNotFound);
}

/// The last 30 days and all to come, of the owner alone, at most 1 000: the soonest.
#[tokio::test]
async fn what_is_shown_is_bounded() {
    let (world, feeds) = world().await;
    let (_, key) = add(&feeds, &as_therapist(&therapist()), FeedContent::Times).await.unwrap();
    let first = now() - TimeDelta::days(30);
    let with = |start| Meeting {
        status: MeetingStatus::Completed,
        ..meeting(&client(), &therapist(), start)
    };
    let long_ago = with(first - TimeDelta::minutes(1));
    let others = meeting(&other_client(), &id("therapist_457"), hour(9));
    let shown = (0..1_003).map(|n| with(first + TimeDelta::hours(n)));
    let shown: Vec<Meeting> = shown.collect();
    let all = shown.iter().chain([&long_ago, &others]).cloned();
    world.write(all.map(Write::InsertMeeting)).await;
    let text = read(&feeds, &key).await.unwrap();
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 1_000);
    for (n, meeting) in shown.iter().enumerate() {
        assert_eq!(text.contains(&meeting.id.to_string()), n < 1_000);
    }
    for not_shown in [long_ago, others] {
        assert!(!text.contains(&not_shown.id.to_string()));
    }
    assert_eq!(read(&feeds, &key).await, Some(text), "the same, until something changes");
}

/// Only what is shown changes the text of a week: another day of the same year does not.
#[tokio::test]
async fn a_week_stays_the_same_for_a_year() {
    let (world, feeds) = world().await;
    let (_, key) =
        add(&feeds, &as_therapist(&therapist()), FeedContent::Availability).await.unwrap();
    let slot = booking_core::testing::fixtures::slot(&therapist(), Weekday::Mon, window(540, 720));
    world.write([Write::InsertAvailability(slot)]).await;
    let before = read(&feeds, &key).await.unwrap();
    assert!(before.contains("DTSTART;TZID=UTC:20240101T090000\r\n"), "{before}");
    world.clock.set(now() + TimeDelta::days(300));
    assert_eq!(read(&feeds, &key).await.unwrap(), before);
    world.clock.set(now() + TimeDelta::days(400));
    assert!(read(&feeds, &key).await.unwrap().contains("DTSTART;TZID=UTC:20250106T090000\r\n"));
}

/// Where a therapist's settings name a zone, the week is meant there, as it is for bookings.
#[tokio::test]
async fn a_week_is_in_the_zone_of_the_settings() {
    let (world, feeds) = world().await;
    let jane = as_therapist(&therapist());
    let (_, key) = add(&feeds, &jane, FeedContent::Availability).await.unwrap();
    let slot = booking_core::testing::fixtures::slot(&therapist(), Weekday::Mon, window(540, 720));
    world.write([Write::InsertAvailability(slot)]).await;
    let settings = Settings { zone: Some(Tz::Asia__Kathmandu), ..Settings::DEFAULT };
    world.clock.set(now() + TimeDelta::days(3));
    let any = ExpectedVersion::Any;
    world.booking.put_settings(&jane, &settings, &any).await.unwrap();
    let text = read(&feeds, &key).await.unwrap();
    assert!(text.contains("DTSTART;TZID=Asia/Kathmandu:20240101T090000\r\n"), "{text}");
    assert!(!text.contains("TZID=UTC"), "{text}");
    // Whoever goes by when something changed sees that it has.
    assert_eq!(text.matches("DTSTAMP:20240104T").count(), 2, "{text}");
}

#[test]
fn keys_have_one_form() {
    let key: FeedKey =
        format!("feed_01h455vb4pex5vsknk084sn02q-{}", "0f".repeat(24)).parse().unwrap();
    let good = key.reveal();
    assert_eq!(good.parse::<FeedKey>().unwrap().reveal(), good);
    let bad = [
        String::new(),
        "-".to_owned(),
        good.replace('-', ""),
        good.replace("feed_", "meeting_"),
        good.to_uppercase(),
        good.replace("0f", "0F"),
        good.replace("0f", "+f"),
        good.replacen("0f", "é", 1),
        format!("{good}0"),
        good[..good.len() - 1].to_owned(),
        format!("{good}.ics"),
    ];
    for bad in bad {
        assert!(bad.parse::<FeedKey>().is_err(), "{bad}");
    }
    let digest = key.digest();
    assert!(digest.is_of(&key));
    for byte in 0..FeedKey::SECRET_BYTES {
        let mut secret = [0x0f; FeedKey::SECRET_BYTES];
        secret[byte] ^= 1;
        assert!(!digest.is_of(&FeedKey::new(key.id(), secret)));
    }
    assert!(!format!("{key:?} {digest:?}").contains("0f0f"));
}
