//! The golden copy of the document, `booking-api/openapi.json`, which `./test.sh prepare` writes.

use std::process::Command;

use super::schemas::GOLDEN;
use crate::server::Server;

/// What the command prints.
fn printed() -> String {
    let printed = Command::new(env!("CARGO_BIN_EXE_booking-api")).arg("openapi").output();
    String::from_utf8(printed.expect("the command starts").stdout).expect("UTF-8")
}

#[test]
fn the_golden_copy_is_what_the_command_prints() {
    let same = printed() == include_str!("../../../openapi.json");
    assert!(same, "the document changed: run ./test.sh prepare, and review the difference");
}

#[tokio::test]
async fn a_server_serves_the_same_document() {
    let served = Server::memory().await.anonymous().get("/openapi.json").await.expect(200);
    assert_eq!(served.body, *GOLDEN);
}
