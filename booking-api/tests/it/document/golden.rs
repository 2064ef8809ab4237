//! The golden copy of the document, `booking-api/openapi.json`, which `./test.sh prepare` writes.

use std::process::Command;

use super::changes::changes;
use super::schemas::GOLDEN;
use crate::server::Server;

/// What the command prints.
fn printed() -> String {
    let printed = Command::new(env!("CARGO_BIN_EXE_booking-api")).arg("openapi").output();
    String::from_utf8(printed.expect("the command starts").stdout).expect("UTF-8")
}

#[test]
fn the_golden_copy_is_what_the_command_prints() {
    let printed = printed();
    if printed == include_str!("../../../openapi.json") {
        return;
    }
    let new = serde_json::from_str(&printed).expect("JSON");
    let mut told: Vec<String> = changes(&GOLDEN, &new).iter().map(ToString::to_string).collect();
    if told.is_empty() {
        told.push("compatible: only words or examples".to_owned());
    }
    panic!(
        "the document is not booking-api/openapi.json any more. If that is meant to be so, run \
         ./test.sh prepare:\n{}",
        told.join("\n")
    );
}

#[tokio::test]
async fn a_server_serves_the_same_document() {
    let served = Server::memory().await.anonymous().get("/openapi.json").await.expect(200);
    assert!(served.body == *GOLDEN, "what is served is not what is printed");
}
