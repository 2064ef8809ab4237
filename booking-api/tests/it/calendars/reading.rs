//! Reading from a real CalDAV server.

use booking_api::calendars::{FetchError, Fetched, RefusedLocation, Unreached};
use booking_core::CalendarKind;

use super::radicale::Radicale;
use super::{PATIENCE, client_for, location, patient_client, texts, window};
use crate::port::Port;

const DAV: CalendarKind = CalendarKind::CalDav;

#[tokio::test]
async fn a_collection_is_read_when_it_has_changed() {
    let (server, client) = (Radicale::start().await, patient_client());
    let home = server.location();
    let read = async |known: Option<&str>| client.fetch(DAV, &home, known, window()).await;

    let (nothing, known) = texts(read(None).await.expect("an empty calendar"));
    assert_eq!(nothing, [""; 0]);
    assert_eq!(read(known.as_deref()).await, Ok(Fetched::Unchanged));

    let within = "DTSTART:20240115T140000Z\nDTEND:20240115T150000Z\nSUMMARY:Dentist & <co> ümläut";
    server.put("within.ics", within).await;
    // Begins long before the window, and goes on.
    let weekly = "DTSTART:20200106T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY";
    server.put("weekly.ics", weekly).await;
    // Its only instance within the window is one that was moved there.
    let moved = "DTSTART:20230101T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2\nEND:VEVENT\n\
                 BEGIN:VEVENT\nUID:moved.ics\nDTSTAMP:20240101T000000Z\n\
                 RECURRENCE-ID:20230102T090000Z\nDTSTART:20240301T090000Z\nDURATION:PT1H";
    server.put("moved.ics", moved).await;
    // At the edge, wherever its clocks are.
    server.put("floating.ics", "DTSTART:20231231T140000\nDTEND:20231231T150000").await;
    for (name, day) in [("before.ics", "20231220"), ("after.ics", "20240715")] {
        server.put(name, &format!("DTSTART;VALUE=DATE:{day}")).await;
    }

    let (found, newer) = texts(read(known.as_deref()).await.expect("four events"));
    assert_ne!(newer, known);
    let uids = ["floating.ics", "moved.ics", "weekly.ics", "within.ics"];
    for uid in uids {
        let of = |text: &&String| text.contains(&format!("UID:{uid}"));
        let text = found.iter().find(of).unwrap_or_else(|| panic!("{uid} in {found:?}"));
        assert!(text.starts_with("BEGIN:VCALENDAR"), "{text}");
    }
    assert_eq!(found.len(), uids.len());
    assert!(found.iter().any(|text| text.contains("SUMMARY:Dentist & <co> ümläut")));
    assert_eq!(read(newer.as_deref()).await, Ok(Fetched::Unchanged));
    assert_eq!(texts(read(known.as_deref()).await.expect("all of it")).0, found);

    server.delete("within.ics").await;
    let (left, _) = texts(read(newer.as_deref()).await.expect("what is left"));
    assert_eq!(left.len(), uids.len() - 1);
}

#[tokio::test]
async fn what_is_no_collection_or_not_open_says_so() {
    let (server, client) = (Radicale::start().await, patient_client());
    server.put("one.ics", "DTSTART:20240115T140000Z").await;
    let read = async |location| client.fetch(DAV, &location, None, window()).await.unwrap_err();

    assert_eq!(read(server.location_with("wrong")).await, FetchError::Unauthorized);
    assert_eq!(read(location(&server.url())).await, FetchError::Unauthorized);
    let known = server.location().credentials().cloned().expect("credentials");
    let beside = |path: &str| {
        location(&format!("{}{path}", server.origin())).with_credentials(known.clone())
    };
    for (path, expected) in [
        ("/jane/", FetchError::NotACalendar),
        ("/jane/work/one.ics", FetchError::NotACalendar),
        ("/jane/none/", FetchError::NotFound),
    ] {
        assert_eq!(read(beside(path)).await, expected, "{path}");
    }
    // A collection can be read as a file too: Radicale puts all of it together.
    let file = client.fetch(CalendarKind::Ics, &server.location(), None, window()).await;
    let (file, validators) = texts(file.expect("a file"));
    assert!(file[0].contains("UID:one.ics"));
    let again = client
        .fetch(CalendarKind::Ics, &server.location(), validators.as_deref(), window())
        .await
        .expect("the same");
    assert!(matches!(again, Fetched::Unchanged | Fetched::Texts { .. }));

    let nobody = location(&format!("http://{}/", Port::free().address()));
    assert_eq!(read(nobody).await, FetchError::Unreachable(Unreached::NoConnection));
}

/// Where only the URL tells, and where a name has to be looked up.
#[tokio::test]
async fn nothing_is_asked_where_nothing_is_allowed() {
    let server = Radicale::start().await;
    let named = server.origin().replace("127.0.0.1", "localhost");
    let table: [(&[&str], &str, RefusedLocation); 5] = [
        (&[], &server.origin(), RefusedLocation::NotPublic),
        (&[], &server.origin().replace("http:", "https:"), RefusedLocation::NotPublic),
        (&["127.0.0.2/32"], &named, RefusedLocation::NotPublic),
        (&["127.0.0.2/32"], &named.replace("http:", "https:"), RefusedLocation::NotPublic),
        (&[], &named, RefusedLocation::NotSecure),
    ];
    for (networks, url, refused) in table {
        let client = client_for(networks, PATIENCE, PATIENCE);
        for kind in [CalendarKind::Ics, DAV] {
            let outcome = client.fetch(kind, &location(url), None, window()).await;
            assert_eq!(outcome, Err(FetchError::RefusedAddress(refused)), "{url} {networks:?}");
        }
        let is_name = url.contains("localhost") && refused == RefusedLocation::NotPublic;
        let known = if is_name { Ok(()) } else { Err(refused) };
        assert_eq!(client.check(&location(url)), known, "{url} {networks:?}");
    }
}
