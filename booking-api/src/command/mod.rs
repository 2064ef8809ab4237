//! The `booking-api` command: the library with its own stores, settings, logs and, for
//! development, its own token issuer.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

mod backend;
mod cli;
mod clock;
mod demo;
mod dev;
mod issuer;
mod logs;
mod samples;
mod serve;
mod server;
mod service;
mod users;
#[cfg(feature = "web")]
mod web;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

use crate::told::with_causes;

/// Anything that ends the command; told in full on standard error.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command line that this process was started with.
pub async fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Dev(args) => dev::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Token(args) => issuer::print_token(&args),
        Command::Migrate(args) => serve::migrate(args).await,
        Command::ForgetNats(args) => serve::forget_nats(args).await,
        Command::Openapi(args) => serve::print_openapi(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("booking-api: {}", with_causes(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}
