//! Idempotency records: what was answered, by user and key.

use chrono::{DateTime, TimeDelta, Utc, Weekday};

use super::cases;
use super::fixtures::{
    as_client, at, client, hour, key, meeting, now, other_client, slot, start, text, therapist,
    window,
};
use super::rows::NASTY;
use crate::{
    Answer, BookRequest, BookingError, Change, Clock, Fingerprint, IdempotencyKey, MeetingUrl,
    Record, Refusal, Scope, SessionDuration, UserId,
};

cases! {
    ($) conformance_records in records:

    /// Answers of both kinds come back as they were given, to the millisecond.
    async fn records_come_back_as_written(world: World) {
        let mut full = meeting(&client(), &therapist(), at("9999-12-31T23:30:00Z"));
        (full.title, full.description) = (text(NASTY), Some(text("")));
        full.session_notes = Some(text(NASTY));
        full.meeting_url = Some(MeetingUrl::new("https://example.com/?a=%20").expect("a URL"));
        let mut slot = slot(&therapist(), Weekday::Sat, window(1_439, 1_440));
        slot.notes = Some(text(NASTY));
        let all: String = (b' '..=b'~').map(char::from).collect();
        let answers = [
            ("plain", Answer::Meeting(Box::new(meeting(&client(), &therapist(), hour(1))))),
            ("full", Answer::Meeting(Box::new(full))),
            (&all, Answer::Availability(Box::new(slot))),
        ];
        for (name, answer) in answers {
            let created_at = now() + TimeDelta::milliseconds(1);
            let record = Record { answer, ..record(&client(), key(name), created_at) };
            keep(&world, &record).await;
            assert_eq!(find(&world, &client(), name).await, Some(record));
        }
    }

    /// One key of two users is two keys; and keys that are almost the same are not.
    async fn keys_are_per_user(world: World) {
        let names = ["a", "A", "a ", "%", "", "\""].map(IdempotencyKey::new);
        let mut written = Vec::new();
        for key in names.into_iter().flatten() {
            for user in [client(), other_client()] {
                let mut record = record(&user, key.clone(), now());
                record.fingerprint.0[0] = u8::try_from(written.len()).expect("small");
                keep(&world, &record).await;
                written.push(record);
            }
        }
        for record in &written {
            let found = find(&world, &record.user, record.key.as_str()).await;
            assert_eq!(found.as_ref(), Some(record));
        }
        assert_eq!(find(&world, &therapist(), "a").await, None);
    }

    /// A key that is used again stands for the later request.
    async fn a_record_is_replaced(world: World) {
        let mut last = record(&client(), key("again"), now());
        keep(&world, &last).await;
        // While the first one counts, and at the instant at which it no longer does.
        for (n, age) in (2..).zip([TimeDelta::hours(1), Record::LIFETIME]) {
            let hours = slot(&therapist(), Weekday::Mon, window(0, n.into()));
            last = Record {
                fingerprint: Fingerprint([n; 32]),
                answer: Answer::Availability(Box::new(hours)),
                created_at: last.created_at + age,
                ..last
            };
            keep(&world, &last).await;
            assert_eq!(find(&world, &client(), "again").await.as_ref(), Some(&last));
        }
    }

    /// However many records expire, those that have not stay.
    async fn only_expired_records_are_cleared(world: World) {
        for n in 0..40 {
            let name = key(&format!("old-{n}"));
            keep(&world, &record(&client(), name, now() + TimeDelta::milliseconds(n))).await;
        }
        let fresh = record(&client(), key("fresh"), now() + TimeDelta::hours(23));
        keep(&world, &fresh).await;
        for n in 0..5 {
            let later = now() + Record::LIFETIME + TimeDelta::minutes(1);
            keep(&world, &record(&client(), key(&format!("new-{n}")), later)).await;
        }
        assert_eq!(find(&world, &client(), "fresh").await, Some(fresh));
        for n in 0..5 {
            assert!(find(&world, &client(), &format!("new-{n}")).await.is_some());
        }
    }

    /// Through the service: within 24 hours a repeat gets the first answer, and after that books.
    async fn a_repeat_counts_for_a_day(world: World) {
        world.open(&therapist()).await;
        let book = |hours, name: &str| {
            let request = BookRequest::new(therapist(), start(hour(hours)), SessionDuration::Hour);
            let (booking, key) = (world.booking.clone(), Some(key(name)));
            async move { booking.book(&as_client(&client()), &request, key).await }
        };
        let first = book(1, "mine").await.expect("it is free");
        assert!(!first.replayed);
        world.clock.set(now() + Record::LIFETIME - TimeDelta::milliseconds(1));
        let again = book(1, "mine").await.expect("a repeat");
        assert!(again.replayed);
        assert_eq!(again.value, first.value);
        let other = book(2, "mine").await;
        assert!(matches!(other, Err(BookingError::Refused(Refusal::IdempotencyMismatch))));

        world.clock.set(now() + Record::LIFETIME);
        let taken = book(1, "mine").await;
        assert!(matches!(taken, Err(BookingError::Refused(Refusal::SlotConflict))));
        let second = book(2, "mine").await.expect("it is free");
        assert!(!second.replayed);
        let found = find(&world, &client(), "mine").await.expect("it is kept");
        assert_eq!(found.created_at, world.clock.now());
        assert_eq!(world.meetings_of(&client()).await.len(), 2);
    }
}

fn record(user: &UserId, key: IdempotencyKey, created_at: DateTime<Utc>) -> Record {
    let answer = Answer::Meeting(Box::new(meeting(user, &therapist(), hour(9))));
    Record { user: user.clone(), key, fingerprint: Fingerprint([1; 32]), answer, created_at }
}

async fn keep(world: &super::World, record: &Record) {
    world.apply(Change { record: Some(record.clone()), ..Change::default() }).await;
}

async fn find(world: &super::World, user: &UserId, name: &str) -> Option<Record> {
    let scope = Scope { record: Some((user.clone(), key(name))), ..Scope::default() };
    world.read(&scope).await.record
}
