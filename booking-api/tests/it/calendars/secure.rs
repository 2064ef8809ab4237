//! Over TLS: passwords go to those whom this machine trusts.

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::radicale::Radicale;
use crate::caller::{Answer, Caller};
use crate::commands::{ISSUER, serve_with, sqlite_in};
use crate::server::DataDir;
use crate::signing::{IssuerKey, good_claims};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";

/// A file beside the tests.
fn file(name: &str) -> String {
    format!("{}/tests/it/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn a_server_is_asked_if_this_machine_trusts_its_certificate() {
    let mut radicale = Radicale::start().await;
    radicale.speak_tls(&file("one.crt"), &file("one.key")).await;
    let mut link = radicale.link(false);
    link["url"] = json!(radicale.url().replace("http:", "https:"));
    for (trusted, state) in [("two.crt", "failing"), ("one.crt", "ok")] {
        let data = DataDir::new();
        let settings = [
            ("BOOKING_CALENDAR_KEYS", KEY),
            ("BOOKING_CALENDAR_ALLOW_NETWORKS", "127.0.0.0/8"),
            ("SSL_CERT_FILE", &file(trusted)),
        ];
        let (_running, anonymous) = serve_with(&data, &sqlite_in(data.path()), &settings).await;
        let answer = linked(&anonymous, &link).await;
        assert_eq!(answer.str("state"), state, "{}", answer.text);
        if state == "failing" {
            let detail =
                "\"code\":\"unreachable\",\"detail\":\"the server's certificate is not trusted\"";
            assert!(answer.text.contains(detail), "{}", answer.text);
        }
    }
}

/// Links a calendar, and waits for what comes of it.
async fn linked(anonymous: &Caller, link: &serde_json::Value) -> Answer {
    let sign = |sub: &str, role: &str| {
        let mut claims = good_claims(sub, role);
        claims["iss"] = json!(ISSUER);
        anonymous.with_token(&IssuerKey::ours().sign(&claims))
    };
    let user = json!({"role": "therapist", "firstName": "F", "lastName": "L", "email": "a@b.c"});
    let admin = sign("root", "admin");
    admin.put("/booking/directory/users/therapist_1", &user).await.expect(200);
    let therapist = sign("therapist_1", "therapist");
    let made = therapist.post("/booking/calendars", link).await.expect(201);
    let path = format!("/booking/calendars/{}", made.id());
    let is_read = async {
        loop {
            let answer = therapist.get(&path).await.expect(200);
            if answer.str("state") != "pending" {
                return answer;
            }
            sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, is_read).await.expect("it is read")
}
