//! `GET /booking/meetings`: order, filters and pages.

use serde_json::json;

use crate::caller::{Answer, Caller};
use crate::server::{Server, on_every_store, open_always, session};

/// The address in a `Link` header with `rel="next"`, as the caller takes it.
fn next(page: &Answer) -> Option<String> {
    let link = page.header("link");
    let address = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"");
    let address = address.unwrap_or_else(|| panic!("a link to the next page: {link}"));
    Some(address.strip_prefix("/api").expect("an address under the base").to_owned())
}

/// The ids on all pages, in order; no page but the last is shorter than `limit`.
async fn follow(caller: &Caller, first: &str, limit: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut path = Some(first.to_owned());
    while let Some(at) = path {
        let page = caller.get(&at).await.expect(200);
        path = next(&page);
        let count = page.items().len();
        assert!(count == limit || (count < limit && path.is_none()), "{at}: {count}");
        ids.extend(page.column("id").into_iter().map(str::to_owned));
        assert!(ids.len() <= 100, "the pages do not end");
    }
    ids
}

/// Seven meetings in no order, the second of them cancelled twice over. Ids by start.
async fn seven(server: &Server) -> Vec<String> {
    server.open_mondays().await;
    let mut made = Vec::new();
    for (start, fate) in [
        ("2024-01-22T10:00:00.000Z", ""),
        ("2024-01-15T14:00:00.000Z", "cancel"),
        ("2024-01-15T14:00:00.000Z", "cancel"),
        ("2024-01-15T14:00:00.000Z", "confirm"),
        ("2024-02-05T09:00:00.000Z", ""),
        ("2024-01-15T09:00:00.000Z", ""),
        ("2024-01-29T16:30:00.000Z", "confirm"),
    ] {
        let id = server.booked(start, 30).await.id();
        match fate {
            "cancel" => drop(server.client().cancel(&id).await.expect(200)),
            "confirm" => {
                let confirm = json!({"status": "CONFIRMED"});
                server.therapist().update(&id, &confirm).await.expect(200);
            }
            _ => {}
        }
        made.push((start, id));
    }
    made.sort();
    made.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn pages_hold_each_meeting_once_and_in_order() {
    on_every_store(async |server| {
        let by_start = seven(server).await;
        for caller in [server.client(), server.therapist()] {
            let all = caller.get("/booking/meetings").await.expect(200);
            assert_eq!(all.column("id"), by_start);
            assert_eq!(all.header("link"), "");
            let mut sorted = all.column("startTime");
            sorted.sort_unstable();
            assert_eq!(all.column("startTime"), sorted);
            for limit in [1, 2, 3, 6, 7, 8, 1_000] {
                let path = format!("/booking/meetings?limit={limit}");
                assert_eq!(follow(&caller, &path, limit).await, by_start, "limit {limit}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn filters_narrow_the_list_and_stay_in_the_links() {
    on_every_store(async |server| {
        let ids = seven(server).await;
        let statuses = server.client().get("/booking/meetings").await;
        let statuses = statuses.column("status").join(" ");
        // Of the three at one start, ids come in the order in which they were made.
        assert_eq!(
            statuses,
            "SCHEDULED CANCELLED CANCELLED CONFIRMED SCHEDULED CONFIRMED SCHEDULED"
        );
        let some = |indexes: &[usize]| -> Vec<String> {
            indexes.iter().map(|index| ids[*index].clone()).collect()
        };
        for (query, expected) in [
            ("status=SCHEDULED", some(&[0, 4, 6])),
            ("status=CANCELLED", some(&[1, 2])),
            ("status=SCHEDULED,CONFIRMED", some(&[0, 3, 4, 5, 6])),
            ("status=CONFIRMED,%20CANCELLED", some(&[1, 2, 3, 5])),
            ("status=NO_SHOW", vec![]),
            // From inclusive, to exclusive.
            ("from=2024-01-15T14:00:00Z", some(&[1, 2, 3, 4, 5, 6])),
            ("from=2024-01-15T14:00:00.001Z", some(&[4, 5, 6])),
            ("to=2024-01-15T14:00:00Z", some(&[0])),
            ("to=2024-01-15T14:00:00.001Z", some(&[0, 1, 2, 3])),
            ("from=2024-01-15T14:00:00Z&to=2024-01-22T10:00:00Z", some(&[1, 2, 3])),
            ("from=2024-01-15T15:00:00%2B01:00&to=2024-01-22T05:00:00-05:00", some(&[1, 2, 3])),
            ("from=2024-01-22T10:00:00Z&to=2024-01-22T10:00:00Z", vec![]),
            ("from=2024-02-01T00:00:00Z&to=2024-01-01T00:00:00Z", vec![]),
            ("status=SCHEDULED&from=2024-01-16T00:00:00Z&to=2024-02-05T00:00:00Z", some(&[4])),
        ] {
            for limit in [1, 2, 1_000] {
                let path = format!("/booking/meetings?{query}&limit={limit}");
                let found = follow(&server.client(), &path, limit).await;
                assert_eq!(found, expected, "{path}");
            }
        }
    })
    .await;
}

/// With the longest texts that there are, a page is shorter than was asked for, and the next goes on.
#[tokio::test]
async fn a_page_has_an_end_whatever_is_written() {
    on_every_store(async |server| {
        open_always(&server.therapist()).await;
        let mut ids = Vec::new();
        for n in 0..60 {
            let mut body = session(&format!("2024-01-{:02}T{:02}:00:00Z", 10 + n / 20, n % 20), 30);
            body["description"] = json!("語".repeat(5_000));
            let id = server.client().book(&body).await.expect(201).id();
            let notes = json!({"sessionNotes": "語".repeat(if n % 2 == 0 { 20_000 } else { 0 })});
            server.therapist().update(&id, &notes).await.expect(200);
            ids.push(id);
        }
        for caller in [server.therapist(), server.client()] {
            let (mut path, mut listed) = (Some("/booking/meetings?limit=1000".to_owned()), vec![]);
            let mut pages = 0;
            while let Some(at) = path {
                let page = caller.get(&at).await.expect(200);
                assert!(page.text.len() < 2_200_000, "{}", page.text.len());
                listed.extend(page.column("id").into_iter().map(str::to_owned));
                path = next(&page);
                pages += 1;
            }
            assert_eq!((&listed, pages), (&ids, 2));
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_has_one_cursor_and_the_given_parameters() {
    let server = Server::memory().await;
    seven(&server).await;
    let first =
        "/booking/meetings?limit=1&status=SCHEDULED,CONFIRMED&from=2024-01-01T00:00:00%2B01:00";
    let second = next(&server.client().get(first).await).expect("a second page");
    let third = next(&server.client().get(&second).await).expect("a third page");
    assert_ne!(second, third);
    for link in [second, third] {
        let (path, query) = link.split_once('?').unwrap();
        assert_eq!(path, "/booking/meetings");
        let mut names: Vec<&str> =
            query.split('&').map(|pair| pair.split_once('=').unwrap().0).collect();
        names.sort_unstable();
        assert_eq!(names, ["cursor", "from", "limit", "status"], "{link}");
    }
}

/// What is booked or cancelled between two pages changes nothing about what stays.
#[tokio::test]
async fn pages_do_not_shift_when_the_list_changes() {
    on_every_store(async |server| {
        let ids = seven(server).await;
        let first = server.client().get("/booking/meetings?limit=4").await.expect(200);
        let rest = next(&first).expect("a second page");
        let early = server.client().book(&session("2024-01-08T09:00:00Z", 30)).await;
        early.expect(201);
        let cancelled = server.client().cancel(&ids[4]).await;
        cancelled.expect(200);
        let late = server.booked("2024-02-12T09:00:00Z", 30).await.id();
        let found = follow(&server.client(), &rest, 4).await;
        assert_eq!(found, [&ids[4..], &[late]].concat());
    })
    .await;
}

#[tokio::test]
async fn a_cursor_is_no_key_to_the_meetings_of_others() {
    let server = Server::memory().await;
    seven(&server).await;
    let page = server.client().get("/booking/meetings?limit=1").await.expect(200);
    let link = next(&page).expect("a second page");
    server.other_client().get(&link).await.expect(200).check_text("[]");
}
