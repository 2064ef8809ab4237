//! What the command does with the keys of linked calendars.

use std::fs;

use serde_json::json;

use crate::commands::{run, serve_with, sqlite_in};
use crate::server::{DataDir, Server, Store};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
const ANOTHER: &str = "Ib8pBZwVdtF4UnYIvGnZLR4Wq7d4wUxCqQPQcE8BJ2o=";

#[tokio::test]
async fn keys_that_are_none_are_named_and_not_shown() {
    let zeros = "A".repeat(43);
    for (keys, wrong) in [
        ("secret", "has no key in place 1"),
        (&format!("{KEY},{}", &ANOTHER[..40]), "has no key in place 2"),
        (&zeros, "has no key in place 1"),
        (&format!("{KEY},{ANOTHER},{KEY}"), "has a key in place 3 that is there already"),
    ] {
        let ran = run(&["serve", "--calendar-key", keys]).await;
        let expected = format!("--calendar-key (BOOKING_CALENDAR_KEYS) {wrong}");
        assert!(!ran.ok && ran.stderr.contains(&expected), "{}", ran.stderr);
        for secret in ["secret", &KEY[..40], &ANOTHER[..40], &zeros] {
            assert!(!ran.stderr.contains(secret), "{}", ran.stderr);
        }
    }
    let ran = run(&["serve", "--calendars-every", "59s"]).await;
    assert!(ran.stderr.contains("--calendars-every (BOOKING_CALENDARS_EVERY)"), "{}", ran.stderr);
}

#[tokio::test]
async fn events_are_kept_for_calendars_until_somebody_says_otherwise() {
    let data = DataDir::new();
    let url = sqlite_in(data.path());
    let (mut with_key, caller) = serve_with(&data, &url, &[("BOOKING_CALENDAR_KEYS", KEY)]).await;
    caller.get("/readyz").await.expect(200);
    with_key.process.kill().await.expect("it runs");
    for said in ["no events are kept for linked calendars\n", "none were kept\n"] {
        let ran = run(&["forget-calendars", "--database-url", &url]).await;
        assert!(ran.ok && ran.stdout == said, "{} {}", ran.stdout, ran.stderr);
    }
}

/// The key of `dev` stays in its data directory, for its owner alone.
#[tokio::test]
async fn dev_has_a_key_of_its_own() {
    let data = DataDir::new();
    let key_file = data.path().join("dev-calendars.key");
    let mut keys = Vec::new();
    for _ in 0..2 {
        let server = Server::start_in(&data, Store::Memory).await;
        let link = json!({"kind": "ics", "url": "http://127.0.0.1:9/calendar.ics"});
        server.therapist().post("/booking/calendars", &link).await.expect(201);
        keys.push(fs::read_to_string(&key_file).expect("a key"));
    }
    assert!(keys[0] == keys[1] && keys[0].len() == KEY.len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&key_file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
