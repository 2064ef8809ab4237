//! What `dev` and `serve` do with calendars outside.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use booking_core::SystemClock;
use clap::Args;
use ipnet::IpNet;
use ring::rand::{SecureRandom, SystemRandom};

use super::Failure;
use super::cli::network;
use super::files::write_once;
use super::mistakes::Mistakes;
use crate::calendars::{CalendarOptions, Client, Keyring};

const KEYS: &str = "--calendar-key (BOOKING_CALENDAR_KEYS)";
const KEY_FILE: &str = "dev-calendars.key";
const KEY_BYTES: usize = 32;

/// The shortest time between two looks at the same calendar: its server is somebody else's.
const LEAST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct CalendarsArgs {
    /// The keys that addresses and passwords of linked calendars are sealed with in the database, each
    /// 32 random bytes in base64: the first seals, all open. Without one no calendars can be linked.
    /// `dev` makes one
    #[arg(
        long,
        env = "BOOKING_CALENDAR_KEYS",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "KEY"
    )]
    calendar_key: Vec<String>,
    /// Networks of this machine's surroundings that linked calendars may lead to, such as 10.1.0.0/16,
    /// there without TLS too; without it, public addresses by https only. `dev` adds this machine
    #[arg(
        long,
        env = "BOOKING_CALENDAR_ALLOW_NETWORKS",
        value_delimiter = ',',
        value_name = "CIDR",
        value_parser = network
    )]
    pub(super) calendar_allow_network: Vec<IpNet>,
    /// How often linked calendars are read, such as 15m, and 1m at least
    #[arg(
        long,
        env = "BOOKING_CALENDARS_EVERY",
        value_name = "TIME",
        default_value = "15m",
        value_parser = pause
    )]
    pub(super) calendars_every: Duration,
}

impl CalendarsArgs {
    /// Notes keys that are none.
    pub(super) fn check(&self, mistakes: &mut Mistakes) {
        if !self.calendar_key.is_empty()
            && let Err(error) = Keyring::from_keys(&self.calendar_key)
        {
            mistakes.note(KEYS, error);
        }
    }

    /// Takes the key of a data directory where none is given; makes it on first use.
    pub(super) fn or_key_in(&mut self, data_dir: &Path) -> Result<(), Failure> {
        if self.calendar_key.is_empty() {
            let path = data_dir.join(KEY_FILE);
            if !path.exists() {
                let mut key = [0; KEY_BYTES];
                SystemRandom::new().fill(&mut key).map_err(|_| "there are no random numbers")?;
                write_once(&path, BASE64_STANDARD.encode(key).as_bytes())?;
            }
            self.calendar_key.push(fs::read_to_string(path)?);
        }
        Ok(())
    }

    /// What calendars are reached by, and the keys of their locations; none without keys.
    pub(super) fn set_up(&self) -> Result<Option<(Client, Keyring)>, Failure> {
        if self.calendar_key.is_empty() {
            return Ok(None);
        }
        let keyring =
            Keyring::from_keys(&self.calendar_key).map_err(|error| format!("{KEYS} {error}"))?;
        let allowed_networks = self.calendar_allow_network.clone();
        let options = CalendarOptions { allowed_networks, ..CalendarOptions::default() };
        Ok(Some((Client::new(options, Arc::new(SystemClock))?, keyring)))
    }
}

fn pause(text: &str) -> Result<Duration, String> {
    let pause = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if pause < LEAST_PAUSE { Err("at least 1m".to_owned()) } else { Ok(pause) }
}
