//! POST meetings on Postgres.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveTime, Utc};

use super::{Bench, asked};
use crate::Fallible;
use crate::fill::{self, Filled};
use crate::http;
use crate::measured::{Outcome, Round, Subject};
use crate::pgbench::{self, After, Pgbench, Transaction};
use crate::scripts::{self, Book, BookOne, BookTaken, Race, STARTS_OF_A_DAY, Tokens};
use crate::serving::{Cache, Serving};
use crate::table::{Against, Part};

impl Bench<'_> {
    /// At random free starts of many therapists, against pgbench.
    pub(crate) async fn bookings(&self, on: &Filled) -> Fallible<Part> {
        let server = self.serve(on, Cache::On).await?;
        let (many, few) = (self.options.clients, self.options.clients.min(8));
        let tokens = &self.tokens;
        let starts = self.starts(on).await?;
        let taken = fill::taken(&mut on.connect().await?, self.booked(), on.monday).await?;
        let book = || Book { starts: starts.clone(), tokens: tokens.clone() };
        http::load(&[server.address], 1, Duration::from_millis(50), Arc::new(book())).await?;
        pgbench::learn(&mut on.connect().await?).await?;
        let by_hand = |transaction| {
            Pgbench::new(on, self.folder, transaction, After::Different(self.booked()))
        };
        let insert = by_hand(Transaction::Insert)?;
        let lock = by_hand(Transaction::LockAndInsert)?;
        let by = |clients| format!("POST meetings, {clients} clients");
        let insert_by =
            |clients| format!("pgbench, the same rows in one round trip, {clients} clients");
        let lock_by =
            |clients| format!("pgbench, begin, lock, read, insert, commit, {clients} clients");
        let refused = BookTaken { starts: taken, tokens: tokens.clone() };
        let subjects = vec![
            (run(insert_by(many), &insert, many), None),
            (run(lock_by(many), &lock, many), None),
            (asked(by(many), &[&server], many, book()), Against::rate(0, 0.5)),
            (run(insert_by(few), &insert, few), None),
            (run(lock_by(few), &lock, few), None),
            (asked(by(few), &[&server], few, book()), Against::rate(3, 0.5)),
            (
                asked(
                    format!("POST meetings, taken, refused, {many} clients"),
                    &[&server],
                    many,
                    refused,
                ),
                Against::rate(2, 5.0),
            ),
        ];
        self.turns(format!("POST meetings at free starts, {} meetings", on.meetings), subjects)
            .await
    }

    /// Many after one therapist.
    pub(crate) async fn contention(&self, on: &Filled) -> Fallible<Part> {
        let server = self.serve(on, Cache::On).await?;
        let clients = self.options.clients;
        let tokens = scripts::crowd(self.issuer, "one_of_many", clients)?;
        let racers = scripts::crowd(self.issuer, "racer", clients)?;
        for tokens in [&tokens, &racers] {
            scripts::introduce(server.address, tokens).await?;
        }
        let from = on.monday.and_time(NaiveTime::MIN).and_utc();
        let one = || BookOne { tokens: tokens.clone(), from, next: AtomicUsize::new(0) };
        let script = Arc::new(one());
        http::load(&[server.address], 1, Duration::from_millis(50), script.clone()).await?;
        let rest = BookOne { next: AtomicUsize::new(script.next.load(Ordering::Relaxed)), ..one() };
        pgbench::learn(&mut on.connect().await?).await?;
        let lock = Pgbench::new(on, self.folder, Transaction::LockAndInsert, After::One)?;
        let insert = Pgbench::new(on, self.folder, Transaction::Insert, After::One)?;
        let races = Arc::new(AtomicU32::new(0));
        let subjects = vec![
            (run("pgbench, begin, lock, read, insert, commit", &lock, clients), None),
            (run("pgbench, the same rows in one round trip, no locks", &insert, clients), None),
            (
                asked("POST meetings at different starts", &[&server], clients, rest),
                Against::rate(0, 0.5),
            ),
            (race(&server, &racers, clients, (from, races.clone())), None),
        ];
        let title = format!("{clients} clients after one therapist, {} meetings", on.meetings);
        let part = self.turns(title, subjects).await?;
        let booked = "SELECT count(*) FROM meeting WHERE therapist_id = 'raced_for'";
        let booked: i64 = sqlx::query_scalar(booked).fetch_one(&mut on.connect().await?).await?;
        let possible = i64::from(races.load(Ordering::Relaxed)) * i64::from(STARTS_OF_A_DAY);
        if booked == possible {
            Ok(part)
        } else {
            Err(format!("{booked} meetings are there, and {possible} were possible").into())
        }
    }
}

fn run<'a>(name: impl Into<String>, pgbench: &'a Pgbench, clients: u32) -> Subject<'a> {
    Subject::new(name, None, move |time| Box::pin(pgbench.round(clients, time)))
}

/// Races for one day after the other, from a day on; counts them.
fn race<'a>(
    server: &'a Serving,
    tokens: &'a Tokens,
    clients: u32,
    (from, days): (DateTime<Utc>, Arc<AtomicU32>),
) -> Subject<'a> {
    let name =
        format!("race for all of a day: {STARTS_OF_A_DAY} booked in each, as many as it has");
    Subject::new(name, Some(server.process()), move |time| {
        let days = days.clone();
        Box::pin(async move {
            let began = Instant::now();
            let mut all = Round::new();
            while all.took.is_zero() || began.elapsed() < time {
                let day = days.fetch_add(1, Ordering::Relaxed);
                let day = from.checked_add_days(Days::new(day.into())).ok_or("no more days")?;
                let script = Arc::new(Race::new(tokens, clients, day));
                let limit = Duration::from_secs(60);
                let mut one = http::load(&[server.address], clients, limit, script).await?;
                let booked = one.latencies.len();
                if booked != u64::from(STARTS_OF_A_DAY) {
                    one.count(Outcome::Failed, Duration::ZERO, || format!("{booked} were booked"));
                }
                all.join(&one);
            }
            all.took = began.elapsed();
            Ok(all)
        })
    })
}
