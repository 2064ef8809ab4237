//! The command line.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::caller::Caller;
use crate::port::Port;
use crate::postgres::Database;
use crate::server::{DataDir, MONDAY_14, Server, Store, session};
use crate::signing::{IssuerKey, good_claims};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(300);
pub(crate) const ISSUER: &str = "https://clerk.example.com";

/// What a command left behind.
pub(crate) struct Ran {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_booking-api"));
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars() {
        if name.starts_with("BOOKING_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) async fn run(args: &[&str]) -> Ran {
    let output = tokio::time::timeout(TIMEOUT, command(args).output());
    let output = output.await.expect("the command ends").expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A running `serve`.
pub(crate) struct Served {
    pub(crate) process: Child,
    _port: Port,
}

/// `serve` on a free port, ready to answer.
async fn serve(data: &DataDir, database_url: &str) -> (Served, Caller) {
    serve_with(data, database_url, &[]).await
}

pub(crate) async fn serve_with(
    data: &DataDir,
    database_url: &str,
    settings: &[(&str, &str)],
) -> (Served, Caller) {
    let key_file = data.path().join("issuer.pub.pem");
    std::fs::write(&key_file, IssuerKey::ours().public_pem()).expect("a key file");
    let port = Port::free();
    let address = port.address().to_string();
    let process = command(&["serve", "--listen", &address, "--database-url", database_url])
        .env("BOOKING_ISSUER", ISSUER)
        .envs(settings.iter().copied())
        .arg("--issuer-key")
        .arg(&key_file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let listens = async {
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, listens).await.expect("the server listens");
    (Served { process, _port: port }, Caller::anonymous(&format!("http://{address}")))
}

pub(crate) fn sqlite_in(dir: &Path) -> String {
    format!("sqlite:{}", dir.join("production.db").display())
}

#[tokio::test]
async fn serve_names_all_that_is_missing_at_once() {
    for (args, missing, given) in [
        (&["serve"][..], &["BOOKING_DATABASE_URL", "BOOKING_ISSUER"][..], &[][..]),
        (
            &["serve", "--database-url", "memory:"],
            &["--issuer (BOOKING_ISSUER) is missing", "memory: forgets every booking"],
            &["--jwks-url"],
        ),
        (
            &["serve", "--issuer", "x", "--issuer-key", "/nowhere"],
            &["--database-url"],
            &["--issuer (BOOKING_ISSUER)"],
        ),
        (&["migrate"], &["--database-url"], &[]),
    ] {
        let ran = run(args).await;
        assert!(!ran.ok, "{args:?}");
        for name in missing {
            assert!(ran.stderr.contains(name), "{args:?}: {name}: {}", ran.stderr);
        }
        for name in given {
            assert!(!ran.stderr.contains(name), "{args:?}: {name} is there: {}", ran.stderr);
        }
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named() {
    let dir = DataDir::new();
    let database_url = sqlite_in(dir.path());
    let database_url = database_url.as_str();
    let no_key = dir.path().join("no-key.pem");
    std::fs::write(&no_key, "not a key").unwrap();
    let no_key = no_key.to_str().unwrap();
    let private_key = dir.path().join("dev-issuer.pem");
    let private_key = private_key.to_str().unwrap();
    for (database_url, key, expected) in [
        (database_url, "/nowhere/key.pem", "--issuer-key"),
        (database_url, no_key, "not an RSA key in PEM"),
        (database_url, private_key, "this is a private key"),
        ("memory:", no_key, "memory: forgets every booking"),
    ] {
        let args = ["serve", "--issuer", "x", "--issuer-key", key, "--database-url", database_url];
        let ran = run(&args).await;
        assert!(!ran.ok && ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panic"), "{}", ran.stderr);
    }
    for url in ["mysql://localhost/x", "booking.db", "", "sqlite:/nowhere/at/all/booking.db"] {
        let ran = run(&["migrate", "--database-url", url]).await;
        assert!(!ran.ok && ran.stderr.starts_with("booking-api: "), "{url}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn serve_works_with_a_database_an_issuer_and_its_key() {
    let data = DataDir::new();
    serve_works_on(&data, &sqlite_in(data.path())).await;
    serve_works_on(&data, &Database::new().url).await;
}

async fn serve_works_on(data: &DataDir, database_url: &str) {
    let (_running, anonymous) = serve(data, database_url).await;
    anonymous.get("/healthz").await.expect(200);
    anonymous.get("/readyz").await.expect(200);
    anonymous.get("/booking/meetings").await.refused(401, "unauthenticated");
    let sign = |sub: &str, role: &str| {
        let mut claims = good_claims(sub, role);
        claims["iss"] = json!(ISSUER);
        anonymous.with_token(&IssuerKey::ours().sign(&claims))
    };
    let admin = sign("root", "admin");
    admin.get("/booking/directory/users/client_123").await.refused(404, "user_not_found");
    for (id, role) in [("client_1", "client"), ("therapist_1", "therapist")] {
        let user = json!({"role": role, "firstName": "F", "lastName": "L", "email": "a@b.c"});
        admin.put(&format!("/booking/directory/users/{id}"), &user).await.expect(200);
    }
    let related = "/booking/directory/relationships/client_1/therapist_1";
    admin.put(related, &json!({})).await.expect(204);
    let window = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00"});
    let therapist = sign("therapist_1", "therapist");
    therapist.post("/booking/availability", &window).await.expect(201);
    let mut body = session("2199-01-07T14:00:00Z", 60);
    body["therapistId"] = json!("therapist_1");
    sign("client_1", "client").book(&body).await.expect(201);
}

#[tokio::test]
async fn serve_takes_tokens_of_its_parties_alone() {
    let data = DataDir::new();
    let parties = [("BOOKING_AUTHORIZED_PARTIES", "https://app.example.com,https://b.example.com")];
    let (_running, anonymous) = serve_with(&data, &sqlite_in(data.path()), &parties).await;
    for (party, status) in [
        (json!("https://app.example.com"), 200),
        (json!("https://b.example.com"), 200),
        (json!("https://elsewhere.example.com"), 401),
        (json!("https://app.example.com.evil"), 401),
        (json!(null), 401),
        (json!(["https://app.example.com"]), 401),
    ] {
        let mut claims = good_claims("client_1", "client");
        claims["iss"] = json!(ISSUER);
        claims["azp"] = party.clone();
        let caller = anonymous.with_token(&IssuerKey::ours().sign(&claims));
        assert_eq!(caller.get("/booking/meetings").await.status, status, "{party}");
    }
}

#[tokio::test]
async fn empty_settings_are_missing_ones() {
    let args = ["serve", "--database-url", "", "--issuer", "", "--issuer-key", ""];
    let ran = run(&args).await;
    assert!(!ran.ok);
    for name in ["BOOKING_DATABASE_URL", "BOOKING_ISSUER"] {
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn serve_has_nothing_of_dev() {
    let data = DataDir::new();
    let (_running, anonymous) = serve(&data, &sqlite_in(data.path())).await;
    let now = json!({"now": "2024-01-01T12:00:00Z"});
    anonymous.put("/dev/clock", &now).await.refused(404, "not_found");
    anonymous.get("/dev/clock").await.refused(404, "not_found");
    // The dev issuer, even with the very same key, is not the issuer that was named.
    for token in [
        IssuerKey::ours().token("client_123", "client"),
        IssuerKey::foreign().token("client_123", "client"),
    ] {
        let answer = anonymous.with_token(&token).get("/booking/meetings").await;
        answer.refused(401, "unauthenticated");
    }
    let page = anonymous.with("origin", "http://localhost:3000");
    let answer = page.get("/healthz").await.expect(200);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}

/// As by an orchestrator: with a connection kept alive, and without waiting for it.
#[cfg(unix)]
#[tokio::test]
async fn a_server_told_to_stop_ends_well() {
    let data = DataDir::new();
    let (mut running, anonymous) = serve(&data, &sqlite_in(data.path())).await;
    anonymous.get("/healthz").await.expect(200);
    let process = running.process.id().unwrap().to_string();
    let told = Command::new("sh").args(["-c", "kill -TERM $0", &process]).status().await.unwrap();
    assert!(told.success());
    let ended = tokio::time::timeout(TIMEOUT, running.process.wait()).await;
    assert!(ended.expect("it ends").unwrap().success());
}

#[tokio::test]
async fn token_prints_a_token_that_works_and_nothing_else() {
    let data = DataDir::new();
    let server = Server::start_in(&data, Store::Memory).await;
    let dir = data.path().to_str().unwrap();
    for ttl in [&[][..], &["--ttl", "90s"], &["--ttl", "1h"]] {
        let args = ["token", "--sub", "client_123", "--role", "client", "--data-dir", dir];
        let ran = run(&[&args[..], ttl].concat()).await;
        assert!(ran.ok, "{}", ran.stderr);
        let token = ran.stdout.trim_end();
        assert_eq!(token.split('.').count(), 3, "{token}");
        assert!(!token.contains(char::is_whitespace), "{token}");
        assert_eq!(ran.stderr, "");
        server.anonymous().with_token(token).get("/booking/meetings").await.expect(200);
    }
    for args in [
        &["token"][..],
        &["token", "--sub", "two words", "--role", "client", "--data-dir", dir],
        &["token", "--sub", "x", "--role", "doctor", "--data-dir", dir],
        &["token", "--sub", "x", "--role", "client", "--ttl", "soon", "--data-dir", dir],
    ] {
        let ran = run(args).await;
        assert!(!ran.ok && ran.stdout.is_empty() && !ran.stderr.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn a_token_of_another_data_directory_does_not_work() {
    let server = Server::memory().await;
    let token = IssuerKey::foreign().token("client_123", "client");
    let answer = server.anonymous().with_token(&token).get("/booking/meetings").await;
    answer.refused(401, "unauthenticated");
}

#[tokio::test]
async fn migrating_twice_is_migrating_once() {
    let data = DataDir::new();
    let database = Database::blank();
    for url in [sqlite_in(data.path()), database.url.clone()] {
        for _ in 0..2 {
            let ran = run(&["migrate", "--database-url", &url]).await;
            assert!(ran.ok, "{}", ran.stderr);
        }
        let (_running, anonymous) = serve(&data, &url).await;
        anonymous.get("/readyz").await.expect(200);
    }
}

#[tokio::test]
async fn openapi_prints_what_the_server_serves() {
    let server = Server::memory().await;
    let json = run(&["openapi"]).await;
    let yaml = run(&["openapi", "--yaml"]).await;
    assert!(json.ok && yaml.ok);
    let served = server.anonymous().get("/openapi.json").await.expect(200);
    assert_eq!(json.stdout.trim_end(), served.text.trim_end());
    let served = server.anonymous().get("/openapi.yaml").await.expect(200);
    assert_eq!(yaml.stdout.trim_end(), served.text.trim_end());
    assert!(yaml.stdout.starts_with("openapi:"), "{}", &yaml.stdout[..80]);
}

#[tokio::test]
async fn dev_says_clearly_why_it_does_not_start() {
    let data = DataDir::new();
    let dir = data.path().to_str().unwrap();
    for (more, expected) in [
        (["--database-url", "postgres://127.0.0.1:1/booking"], "the store is unavailable"),
        (["--database-url", "mysql://localhost/booking"], "sqlite:"),
        (["--now", "yesterday"], "--now"),
        (["--port", "70000"], "--port"),
    ] {
        let args = [&["dev", "--data-dir", dir][..], &more].concat();
        let args = if more[0] == "--port" { args } else { [&args[..], &["--port", "0"]].concat() };
        let ran = run(&args).await;
        assert!(!ran.ok && ran.stderr.contains(expected), "{more:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panic"), "{more:?}: {}", ran.stderr);
        assert!(!ran.stdout.contains("Tokens"), "{more:?} does not greet");
    }
}

#[tokio::test]
async fn dev_does_not_show_the_password_of_its_database() {
    let database = Database::new();
    let data = DataDir::new();
    let url = database.url.replacen("@", ":hidden-word@", 1) + "&application_name=hidden-too";
    let (server, _) = (Server::start_on(&data, &url).await, &database);
    let greeting = server.greeting();
    assert!(greeting.contains("database  postgres://127.0.0.1:"), "{greeting}");
    assert!(!greeting.contains("hidden"), "{greeting}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let data = DataDir::new();
    let running = Server::memory().await;
    let port = running.address().rsplit_once(':').unwrap().1;
    let ran = run(&["dev", "--data-dir", data.path().to_str().unwrap(), "--port", port]).await;
    assert!(!ran.ok && ran.stderr.contains(port), "{}", ran.stderr);
    assert_eq!(ran.stdout, "", "nothing is greeted");
}

#[tokio::test]
async fn the_greeting_has_all_that_one_needs_to_begin() {
    let data = DataDir::new();
    let server = Server::start_in(&data, Store::Sqlite).await;
    let greeting = server.greeting();
    assert!(greeting.contains(&format!("{}/docs", server.origin())), "{greeting}");
    for (user, role) in [
        ("client_123", "client"),
        ("client_124", "client"),
        ("therapist_456", "therapist"),
        ("therapist_457", "therapist"),
        ("admin_1", "admin"),
    ] {
        let (_, after) = greeting.split_once(&format!("{user} ({role})\n")).expect("a demo user");
        let token = after.lines().next().unwrap().trim();
        let slots = "/booking/slots?therapistId=therapist_456&date=2024-01-15";
        server.anonymous().with_token(token).get(slots).await.expect(200);
    }
    let curl = greeting.lines().find(|line| line.trim().starts_with("curl ")).expect("a curl line");
    let quoted: Vec<&str> = curl.split('\'').collect();
    let (header, url) = (quoted[1], quoted[3]);
    let token = header.strip_prefix("Authorization: Bearer ").unwrap();
    let path = url.strip_prefix(server.origin()).unwrap();
    let answer = server.anonymous().with_token(token).get(path).await.expect(200);
    assert_eq!(answer.body, Value::Array(vec![]));
    server.client().book(&session(MONDAY_14, 60)).await.refused(400, "outside_availability");
}
