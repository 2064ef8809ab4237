//! A therapist opens a day; a client looks, books, loses a race, moves, pages and cancels.

use std::env;
use std::error::Error as Failure;

use booking_client_example::types::{
    MeetingCreateDto, MeetingStatus, MeetingUpdateDto, Problem, SessionDuration,
    TherapistAvailabilityCreateDto, TherapistAvailabilityUpdateDto,
};
use booking_client_example::{Client, Error};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

const THERAPIST: &str = "therapist_456";

fn client(token: Option<&str>) -> Result<Client, Box<dyn Failure>> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    }
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(&format!("{}/api", env::var("BASE")?), http))
}

/// Status and code of an answer that is an error.
fn refused<T>(answer: Result<T, Error<Problem>>) -> (u16, String) {
    match answer {
        Err(Error::ErrorResponse(response)) => {
            (response.status().as_u16(), response.into_inner().code)
        }
        Err(other) => panic!("no problem: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Failure>> {
    let anonymous = client(None)?.list_meetings().send().await;
    assert_eq!(refused(anonymous), problem(401, "unauthenticated"));

    // A therapist's week.
    let therapist = client(Some(&env::var("THERAPIST")?))?;
    let monday = TherapistAvailabilityCreateDto::builder();
    let monday = monday.day_of_week(1).start_time("09:00").end_time("16:00");
    let window = therapist.create_availability().body(monday.clone()).send().await?.into_inner();
    assert!(window.notes.is_none());
    let twice = therapist.create_availability().body(monday).send().await;
    assert_eq!(refused(twice), problem(400, "availability_overlap"));
    let later = TherapistAvailabilityUpdateDto::builder().end_time(Some("17:00".parse()?));
    let changed = therapist.update_availability().id(&window.id).body(later).send().await?;
    assert_eq!(changed.end_time.as_str(), "17:00");
    let windows = therapist.list_availability().send().await?.into_inner();
    assert_eq!(windows.len(), 1);

    // A client's session.
    let me = client(Some(&env::var("CLIENT")?))?;
    let day = "2024-01-15".parse::<chrono::NaiveDate>()?;
    let slots = me.list_slots().therapist_id(THERAPIST).date(day).send().await?.into_inner();
    let [first, _, third, ..] = slots.as_slice() else { panic!("too few slots") };
    let session = |start, minutes: i32| {
        let session = MeetingCreateDto::builder().start_time(start).therapist_id(THERAPIST);
        session.duration(minutes)
    };
    assert!(SessionDuration::try_from(45).is_err(), "only what can be booked has the type");
    let booked = me.create_meeting().body(session(first.start_time, 60)).send().await?;
    let conflict = me.create_meeting().body(session(first.start_time, 60)).send().await;
    assert_eq!(refused(conflict), problem(400, "slot_conflict"));

    let version = booked.headers()["etag"].to_str()?.to_owned();
    let moved = async |start| {
        let change = MeetingUpdateDto::builder().start_time(Some(start));
        let request = me.update_meeting().id(&booked.id).if_match(version.clone());
        request.body(change).send().await
    };
    assert_eq!(moved(third.start_time).await?.start_time, third.start_time);
    assert_eq!(refused(moved(first.start_time).await), problem(412, "version_mismatch"));

    // Pages of two.
    for slot in &slots[6..10] {
        me.create_meeting().body(session(slot.start_time, 30)).send().await?;
    }
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut page = me.list_meetings().status("SCHEDULED").limit(2);
        if let Some(cursor) = &cursor {
            page = page.cursor(cursor.as_str());
        }
        let page = page.send().await?;
        let link = page.headers().get("link").map(|link| link.to_str()).transpose()?;
        cursor = link.and_then(next_cursor);
        found.extend(page.into_inner());
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 5);

    for meeting in &found {
        let cancelled = me.cancel_meeting().id(&meeting.id).send().await?;
        assert_eq!(cancelled.status, MeetingStatus::Cancelled);
    }
    assert!(therapist.delete_availability().id(&window.id).send().await?.success);
    println!("progenitor: done");
    Ok(())
}

/// The cursor of the next page (RFC 8288).
fn next_cursor(link: &str) -> Option<String> {
    let (address, _) = link.strip_prefix('<')?.split_once(">; rel=\"next\"")?;
    let (_, query) = address.split_once('?')?;
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor="));
    cursor.map(str::to_owned)
}
