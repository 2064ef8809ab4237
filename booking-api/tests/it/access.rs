//! Who may do what: operation × role × relation, and the order of the checks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::server::{MONDAY_14, Server, on_every_store, open, session};

/// Well-formed, and nobody's.
const UNKNOWN_MEETING: &str = "meeting_01h455vb4pex5vsknk084sn02q";
const UNKNOWN_SLOT: &str = "avail_01h455vb4pex5vsknk084sn02q";

/// One user for each column of the tables below, in this order.
fn everybody(server: &Server) -> [(&'static str, Caller); 7] {
    [
        ("the client", server.client()),
        ("another client", server.other_client()),
        ("the therapist", server.therapist()),
        ("another therapist", server.other_therapist()),
        ("an admin", server.admin()),
        ("nobody", server.anonymous()),
        ("a bad token", server.anonymous().with_token("garbage")),
    ]
}

async fn call(caller: &Caller, request: &str, body: Value) -> Answer {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let method: Method = method.parse().expect("a method");
    let has_body = method == Method::POST || method == Method::PUT;
    caller.send(method, path, has_body.then(|| body.to_string().into_bytes())).await
}

/// Asks as everybody; `outcomes` are `200` or `403 forbidden`, in the order of [`everybody`].
async fn check(server: &Server, request: &str, body: Value, outcomes: [&str; 7]) {
    for ((who, caller), expected) in everybody(server).into_iter().zip(outcomes) {
        let answer = call(&caller, request, body.clone()).await;
        let (status, code) = answer.outcome();
        let outcome = format!("{status} {code}");
        assert_eq!(outcome.trim(), expected, "{who}: {request}: {}", answer.text);
    }
}

const NO_TOKEN: &str = "401 unauthenticated";
const ROLE_401: &str = "401 role_required";
const ROLE_403: &str = "403 role_required";
const FORBIDDEN: &str = "403 forbidden";
const NO_MEETING: &str = "404 meeting_not_found";
const NO_SLOT: &str = "404 availability_not_found";

#[tokio::test]
async fn meetings_are_for_their_participants() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let [one, cancel] = [format!("/{id}"), format!("/{id}/cancel")];
        let own = ["200", FORBIDDEN, "200", FORBIDDEN, FORBIDDEN, NO_TOKEN, NO_TOKEN];
        let update = json!({"title": "Same for all"});
        check(server, &format!("GET /booking/meetings{one}"), json!(null), own).await;
        check(server, &format!("PUT /booking/meetings{one}"), update, own).await;
        let closed = "400 meeting_closed";
        let once = ["200", FORBIDDEN, closed, FORBIDDEN, FORBIDDEN, NO_TOKEN, NO_TOKEN];
        check(server, &format!("DELETE /booking/meetings{cancel}"), json!(null), once).await;
        let never = [closed, FORBIDDEN, closed, FORBIDDEN, FORBIDDEN, NO_TOKEN, NO_TOKEN];
        check(server, &format!("POST /booking/meetings{cancel}"), json!({}), never).await;
    })
    .await;
}

#[tokio::test]
async fn unknown_meetings_are_unknown_to_everybody() {
    let server = Server::memory().await;
    let known_to_nobody =
        [NO_MEETING, NO_MEETING, NO_MEETING, NO_MEETING, NO_MEETING, NO_TOKEN, NO_TOKEN];
    for id in [UNKNOWN_MEETING, UNKNOWN_SLOT, "meeting_789", "789", "%20", "a'--"] {
        for request in ["GET /booking/meetings/{id}", "PUT /booking/meetings/{id}"] {
            check(&server, &request.replace("{id}", id), json!({}), known_to_nobody).await;
        }
        for method in ["DELETE", "POST"] {
            let request = format!("{method} /booking/meetings/{id}/cancel");
            check(&server, &request, json!({}), known_to_nobody).await;
        }
    }
}

#[tokio::test]
async fn clients_book_for_themselves() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let book = "POST /booking/meetings";
    let invalid = "400 invalid_request";
    let with = |more: Value| {
        let mut body = session(MONDAY_14, 60);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    // Of the two clients, the first takes the time. A therapist has to say for whom.
    let plain = ["201", "400 slot_conflict", invalid, invalid, ROLE_403, NO_TOKEN, NO_TOKEN];
    check(&server, book, with(json!({})), plain).await;
    // Naming oneself makes no difference; naming somebody else is not for clients.
    let taken = "400 slot_conflict";
    let named = [taken, FORBIDDEN, taken, FORBIDDEN, ROLE_403, NO_TOKEN, NO_TOKEN];
    check(&server, book, with(json!({"clientId": "client_123"})), named).await;
    let with_457 = json!({"therapistId": "therapist_457"});
    let no = "403 no_relationship";
    let unrelated = [no, no, invalid, invalid, ROLE_403, NO_TOKEN, NO_TOKEN];
    check(&server, book, with(with_457), unrelated).await;
    let with_457 = json!({"therapistId": "therapist_457", "clientId": "client_123"});
    let unrelated = [no, FORBIDDEN, FORBIDDEN, no, ROLE_403, NO_TOKEN, NO_TOKEN];
    check(&server, book, with(with_457), unrelated).await;
}

#[tokio::test]
async fn a_therapist_must_exist_and_be_one() {
    let server = Server::memory().await;
    for nobody in ["therapist_999", "client_124", "client_123", "admin_1"] {
        let mut body = session(MONDAY_14, 60);
        body["therapistId"] = json!(nobody);
        server.client().book(&body).await.refused(404, "therapist_not_found");
        let slots = format!("/booking/slots?therapistId={nobody}&date=2024-01-15");
        server.client().get(&slots).await.refused(404, "therapist_not_found");
    }
}

#[tokio::test]
async fn lists_hold_ones_own_meetings() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let list = ["200", "200", "200", "200", ROLE_403, NO_TOKEN, NO_TOKEN];
        check(server, "GET /booking/meetings", json!(null), list).await;
        for (caller, expected) in [
            (server.client(), vec![id.as_str()]),
            (server.therapist(), vec![id.as_str()]),
            (server.other_client(), vec![]),
            (server.other_therapist(), vec![]),
        ] {
            let listed = caller.get("/booking/meetings").await.expect(200);
            assert_eq!(listed.column("id"), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn availability_is_for_therapists_and_their_own() {
    on_every_store(async |server| {
        let id = server.open_mondays().await.id();
        let window = json!({"dayOfWeek": 2, "startTime": "09:00", "endTime": "10:00"});
        let create = [ROLE_401, ROLE_401, "201", "201", ROLE_401, NO_TOKEN, NO_TOKEN];
        check(server, "POST /booking/availability", window, create).await;
        let list = [ROLE_401, ROLE_401, "200", "200", ROLE_401, NO_TOKEN, NO_TOKEN];
        check(server, "GET /booking/availability", json!(null), list).await;
        let own = [ROLE_401, ROLE_401, "200", FORBIDDEN, ROLE_401, NO_TOKEN, NO_TOKEN];
        let one = format!("/booking/availability/{id}");
        check(server, &format!("PUT {one}"), json!({"notes": "x"}), own).await;
        server.other_therapist().delete(&one).await.refused(403, "forbidden");
        let gone = [ROLE_401, ROLE_401, NO_SLOT, NO_SLOT, ROLE_401, NO_TOKEN, NO_TOKEN];
        let once = [ROLE_401, ROLE_401, "200", NO_SLOT, ROLE_401, NO_TOKEN, NO_TOKEN];
        check(server, &format!("DELETE {one}"), json!(null), once).await;
        for id in [id.as_str(), UNKNOWN_SLOT, UNKNOWN_MEETING, "avail_123"] {
            let one = format!("/booking/availability/{id}");
            check(server, &format!("PUT {one}"), json!({}), gone).await;
            check(server, &format!("DELETE {one}"), json!(null), gone).await;
        }
    })
    .await;
}

#[tokio::test]
async fn availability_of_others_is_not_listed() {
    let server = Server::memory().await;
    let own = server.open_mondays().await.id();
    let others = open(&server.other_therapist(), 1, "09:00", "17:00").await.id();
    for (caller, expected) in [(server.therapist(), own), (server.other_therapist(), others)] {
        let listed = caller.get("/booking/availability").await.expect(200);
        assert_eq!(listed.column("id"), [expected]);
    }
}

#[tokio::test]
async fn slots_are_for_everybody_with_a_token() {
    let server = Server::memory().await;
    let all = ["200", "200", "200", "200", "200", NO_TOKEN, NO_TOKEN];
    let slots = "GET /booking/slots?therapistId=therapist_456&date=2024-01-15";
    check(&server, slots, json!(null), all).await;
}

#[tokio::test]
async fn the_directory_is_for_admins() {
    let server = Server::memory().await;
    let user = json!({
        "role": "client", "firstName": "New", "lastName": "User", "email": "new@example.com",
    });
    let admins = |status| [ROLE_403, ROLE_403, ROLE_403, ROLE_403, status, NO_TOKEN, NO_TOKEN];
    let relationship = "/booking/directory/relationships/client_9/therapist_457";
    check(&server, "PUT /booking/directory/users/client_9", user, admins("200")).await;
    check(&server, "GET /booking/directory/users/client_9", json!(null), admins("200")).await;
    check(&server, &format!("PUT {relationship}"), json!({}), admins("204")).await;
    check(&server, &format!("DELETE {relationship}"), json!(null), admins("204")).await;
}

#[tokio::test]
async fn every_401_asks_for_a_bearer_token() {
    let server = Server::memory().await;
    let meetings = "/booking/meetings";
    for caller in [server.anonymous(), server.anonymous().with_token("garbage")] {
        let answer = caller.get(meetings).await.refused(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let answer = server.client().get("/booking/availability").await.refused(401, "role_required");
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
}

/// Each request is wrong in everything that its line names, and is told the first of them.
#[tokio::test]
async fn checks_come_in_the_contracts_order() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    let own = format!("/booking/meetings/{id}");
    let unknown = format!("/booking/meetings/{UNKNOWN_MEETING}");
    let stale = |caller: Caller| caller.with("if-match", "\"7\"");
    let bad = json!({"duration": 45});
    let past = json!({"startTime": "2023-01-02T14:00:00Z"});

    let answer = stale(server.anonymous()).put(&unknown, &bad).await;
    answer.refused(401, "unauthenticated");
    let bad_window = json!({"dayOfWeek": 9});
    let answer = server.client().post("/booking/availability", &bad_window).await;
    answer.refused(401, "role_required");
    server.admin().book(&bad).await.refused(403, "role_required");
    let answer = stale(server.other_client()).put(&unknown, &bad).await;
    answer.refused(400, "invalid_request");
    let answer = server.other_client().with("if-match", "7").put(&unknown, &past).await;
    answer.refused(400, "invalid_request");
    let answer = stale(server.other_client()).put(&unknown, &past).await;
    answer.refused(404, "meeting_not_found");
    stale(server.other_client()).put(&own, &past).await.refused(403, "forbidden");
    let answer = stale(server.client()).put(&own, &json!({"sessionNotes": "x"})).await;
    answer.refused(403, "forbidden");
    stale(server.client()).put(&own, &past).await.refused(412, "version_mismatch");
    server.client().put(&own, &past).await.refused(400, "in_the_past");
    server.client().cancel(&id).await.expect(200);
    stale(server.client()).delete(&format!("{own}/cancel")).await.refused(412, "version_mismatch");
}

/// The past, then availability, then the grid, then conflicts.
#[tokio::test]
async fn rules_come_in_the_contracts_order() {
    let server = Server::memory().await;
    server.open_mondays().await;
    server.booked(MONDAY_14, 60).await;
    for (start, duration, expected) in [
        ("2023-01-03T14:10:00Z", 60, "in_the_past"),
        ("2024-01-01T12:00:00Z", 60, "in_the_past"),
        ("2024-01-16T14:10:00Z", 60, "outside_availability"),
        ("2024-01-15T16:40:00Z", 30, "outside_availability"),
        ("2024-01-15T08:30:00Z", 60, "outside_availability"),
        ("2024-01-15T14:10:00Z", 60, "not_on_grid"),
        ("2024-01-15T09:10:00Z", 30, "not_on_grid"),
        ("2024-01-15T13:00:00Z", 90, "slot_conflict"),
        ("2024-01-15T14:30:00Z", 30, "slot_conflict"),
    ] {
        server.client().book(&session(start, duration)).await.refused(400, expected);
    }
}
