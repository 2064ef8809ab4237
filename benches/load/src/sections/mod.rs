//! The parts of the table.

pub(crate) mod bookings;
pub(crate) mod growth;
pub(crate) mod slots;
pub(crate) mod sqlite;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Days, NaiveDate};

use crate::Fallible;
use crate::fill::{self, Filled, Start};
use crate::http::{self, Script};
use crate::issuer::Issuer;
use crate::measured::{self, Measured, Subject};
use crate::options::Options;
use crate::scripts::{self, Starts, Tokens};
use crate::serving::{Serving, Starter};
use crate::table::{Against, Part};

/// How many therapists are booked at most: a server remembers the tokens of all their clients.
const BOOKED: u32 = 1_000;
/// On how many working days.
const BOOKED_DAYS: u32 = 40;

/// What all sections need.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) starter: &'a Starter<'a>,
    pub(crate) issuer: &'a Issuer,
    /// For files that go.
    pub(crate) folder: &'a Path,
    /// The first clients of those therapists who are booked.
    pub(crate) tokens: Tokens,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        options: &'a Options,
        starter: &'a Starter<'a>,
        issuer: &'a Issuer,
        folder: &'a Path,
    ) -> Fallible<Self> {
        let tokens = scripts::first_clients(issuer, BOOKED.min(options.therapists))?;
        Ok(Self { options, starter, issuer, folder, tokens })
    }

    fn booked(&self) -> u32 {
        BOOKED.min(self.options.therapists)
    }

    /// Starts that can be booked; what was not asked for is nobody else's.
    async fn free(&self, on: &Filled) -> Fallible<Vec<Start>> {
        fill::free(&mut on.connect().await?, self.booked(), on.monday, BOOKED_DAYS).await
    }

    async fn starts(&self, on: &Filled) -> Fallible<Arc<Starts>> {
        Ok(Starts::new(self.free(on).await?))
    }

    async fn turns(
        &self,
        title: String,
        subjects: Vec<(Subject<'_>, Option<Against>)>,
    ) -> Fallible<Part> {
        progress!("{title}");
        let (subjects, against) = subjects.into_iter().unzip();
        let turns = measured::take_turns(subjects, self.options.rounds, self.options.round());
        let measured: Vec<Measured> = turns.await?;
        Ok(Part { title, measured, against })
    }
}

/// A script at some servers, as a subject.
fn asked<'a>(
    name: impl Into<String>,
    servers: &[&Serving],
    clients: u32,
    script: impl Script + 'static,
) -> Subject<'a> {
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let script: Arc<dyn Script> = Arc::new(script);
    Subject::new(name, servers.first().map(|server| server.process()), move |time: Duration| {
        let (addresses, script) = (addresses.clone(), script.clone());
        Box::pin(async move { http::load(&addresses, clients, time, script).await })
    })
}

/// Seven working days on which half of the time is taken.
fn dates(monday: NaiveDate) -> Vec<NaiveDate> {
    let day = |n| monday.checked_add_days(Days::new(n));
    [0, 1, 2, 3, 4, 7, 8].into_iter().filter_map(day).collect()
}
