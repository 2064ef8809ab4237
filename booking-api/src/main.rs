//! The `booking-api` command; `booking-api help` says what it can do.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    booking_api::command::run().await
}
