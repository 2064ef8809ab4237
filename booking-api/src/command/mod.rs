//! The `booking-api` command: the library with its own stores, settings, logs and, for
//! development, its own token issuer.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

mod backend;
mod calendars;
mod cli;
mod clock;
mod demo;
mod dev;
mod exposure;
mod files;
mod health;
mod issuer;
mod logs;
mod mistakes;
mod probes;
mod samples;
mod serve;
mod server;
mod service;
mod settings;
mod traces;
mod users;
#[cfg(feature = "web")]
mod web;

use std::process::ExitCode;

use booking_core::with_causes;
use clap::{CommandFactory, FromArgMatches};

use cli::{Cli, Command};
use mistakes::Mistakes;

/// Anything that ends the command; told in full on standard error.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command line that this process was started with.
pub async fn run() -> ExitCode {
    let parsed = mistakes::parse(Cli::command(), std::env::args_os().collect());
    let parsed = parsed
        .and_then(|(matches, mistakes)| Ok((Cli::from_arg_matches(&matches)?.command, mistakes)));
    let (command, mistakes) = match parsed {
        Ok(parsed) => parsed,
        // Help too is told this way.
        Err(error) => error.exit(),
    };
    match perform(command, mistakes).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("booking-api: {}", with_causes(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// `mistakes` are those in values; `serve` looks for more before it gives up.
async fn perform(command: Command, mistakes: Mistakes) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(*args, mistakes).await,
        Command::Migrate(args) => serve::migrate(args, mistakes).await,
        Command::ForgetNats(args) => serve::forget_nats(args, mistakes).await,
        Command::ForgetCalendars(args) => serve::forget_calendars(args, mistakes).await,
        Command::Dev(args) => {
            mistakes.none()?;
            dev::run(*args).await
        }
        Command::Token(args) => {
            mistakes.none()?;
            issuer::print_token(&args)
        }
        Command::Health(args) => {
            mistakes.none()?;
            health::ask(args).await
        }
        Command::Openapi(args) => {
            mistakes.none()?;
            serve::print_openapi(&args)
        }
    }
}
