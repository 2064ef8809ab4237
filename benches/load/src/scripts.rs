//! What simulated clients ask for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::Fallible;
use crate::fill::Start;
use crate::http::{self, Ask, Script};
use crate::issuer::Issuer;
use crate::measured::Outcome;

/// The code of a refusal because somebody is busy.
const TAKEN: &str = "slot_conflict";

/// Tokens of clients.
pub(crate) type Tokens = Arc<Vec<HeaderValue>>;

/// Of the first clients of the first therapists.
pub(crate) fn first_clients(issuer: &Issuer, therapists: u32) -> Fallible<Tokens> {
    let tokens = (0..therapists).map(|n| issuer.client(&format!("client_{n}_0")));
    Ok(Arc::new(tokens.collect::<Fallible<_>>()?))
}

/// Of those who all want the same therapist: `one_of_many` or `racer`.
pub(crate) fn crowd(issuer: &Issuer, name: &str, clients: u32) -> Fallible<Tokens> {
    let tokens = (0..clients).map(|n| issuer.client(&format!("{name}_{n}")));
    Ok(Arc::new(tokens.collect::<Fallible<_>>()?))
}

/// Shows a server all tokens: it remembers them.
pub(crate) async fn introduce(address: SocketAddr, tokens: &Tokens) -> Fallible<()> {
    let next = AtomicUsize::new(0);
    let tokens = tokens.clone();
    let script = move |_: u32, _: &mut Rng| {
        let token = tokens.get(next.fetch_add(1, Ordering::Relaxed))?;
        let path = "/api/booking/slots?therapistId=therapist_0&date=2020-01-01";
        Some(Ask::get(path).with(token))
    };
    let round = http::load(&[address], 8, Duration::from_secs(120), Arc::new(script)).await?;
    match round.first_failure {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

/// Slots of one of so many therapists on one of these dates.
pub(crate) fn slots(
    tokens: &Tokens,
    therapists: u32,
    dates: Vec<NaiveDate>,
) -> impl Script + use<> {
    let tokens = tokens.clone();
    move |client: u32, random: &mut Rng| {
        let therapist = random.u32(..therapists);
        let date = dates[random.usize(..dates.len())];
        let path = format!("/api/booking/slots?therapistId=therapist_{therapist}&date={date}");
        Some(Ask::get(path).with(&tokens[client as usize % tokens.len()]))
    }
}

/// Always the same.
pub(crate) fn same(ask: Ask) -> impl Script {
    move |_: u32, _: &mut Rng| Some(ask.clone())
}

/// The same path, each with their own token.
pub(crate) fn signed_in(path: &'static str, tokens: &Tokens) -> impl Script + use<> {
    let tokens = tokens.clone();
    move |client: u32, _: &mut Rng| {
        Some(Ask::get(path).with(&tokens[client as usize % tokens.len()]))
    }
}

/// Bookings at starts of which none comes twice, by each therapist's first client.
pub(crate) struct Book {
    pub(crate) starts: Arc<Starts>,
    pub(crate) tokens: Tokens,
}

/// Starts that are used up.
pub(crate) struct Starts {
    starts: Vec<Start>,
    next: AtomicUsize,
}

impl Starts {
    pub(crate) fn new(starts: Vec<Start>) -> Arc<Self> {
        Arc::new(Self { starts, next: AtomicUsize::new(0) })
    }

    fn next(&self) -> Option<Start> {
        self.starts.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }
}

impl Script for Book {
    fn next(&self, _: u32, _: &mut Rng) -> Option<Ask> {
        let start = self.starts.next()?;
        let therapist = usize::try_from(start.therapist).ok()?;
        let ask = book(&format!("therapist_{therapist}"), start.start_at);
        Some(ask.with(&self.tokens[therapist]))
    }

    fn judge(&self, status: StatusCode, _: &Bytes) -> Outcome {
        if status == StatusCode::CREATED { Outcome::Good } else { Outcome::Failed }
    }
}

/// Bookings at starts that are taken: what counts is the refusal.
pub(crate) struct BookTaken {
    pub(crate) starts: Vec<Start>,
    pub(crate) tokens: Tokens,
}

impl Script for BookTaken {
    fn next(&self, _: u32, random: &mut Rng) -> Option<Ask> {
        let start = random.choice(&self.starts)?;
        let therapist = usize::try_from(start.therapist).ok()?;
        let ask = book(&format!("therapist_{therapist}"), start.start_at);
        Some(ask.with(&self.tokens[therapist]))
    }

    fn judge(&self, _: StatusCode, body: &Bytes) -> Outcome {
        if is_taken(body) { Outcome::Good } else { Outcome::Failed }
    }
}

/// All book one therapist, at starts of which none comes twice.
pub(crate) struct BookOne {
    pub(crate) tokens: Tokens,
    pub(crate) from: DateTime<Utc>,
    pub(crate) next: AtomicUsize,
}

impl Script for BookOne {
    fn next(&self, client: u32, _: &mut Rng) -> Option<Ask> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let at = self.from + HALF_HOUR * i32::try_from(number).ok()?;
        Some(book("wanted", at).with(self.tokens.get(client as usize)?))
    }

    fn judge(&self, status: StatusCode, _: &Bytes) -> Outcome {
        if status == StatusCode::CREATED { Outcome::Good } else { Outcome::Failed }
    }
}

/// How many half hours one therapist's day has.
pub(crate) const STARTS_OF_A_DAY: u8 = 48;
const HALF_HOUR: TimeDelta = TimeDelta::minutes(30);

/// All want all of one therapist's day, each in an order of their own.
pub(crate) struct Race {
    tokens: Tokens,
    day: DateTime<Utc>,
    left: Vec<Mutex<Vec<u8>>>,
}

impl Race {
    pub(crate) fn new(tokens: &Tokens, clients: u32, day: DateTime<Utc>) -> Self {
        let order = || {
            let mut order: Vec<u8> = (0..STARTS_OF_A_DAY).collect();
            fastrand::shuffle(&mut order);
            Mutex::new(order)
        };
        let left = (0..clients).map(|_| order()).collect();
        Self { tokens: tokens.clone(), day, left }
    }
}

impl Script for Race {
    fn next(&self, client: u32, _: &mut Rng) -> Option<Ask> {
        let left = self.left.get(client as usize)?;
        let nth = left.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let ask = book("raced_for", self.day + HALF_HOUR * nth.into());
        Some(ask.with(self.tokens.get(client as usize)?))
    }

    fn judge(&self, status: StatusCode, body: &Bytes) -> Outcome {
        match status {
            StatusCode::CREATED => Outcome::Good,
            _ if is_taken(body) => Outcome::Passed,
            _ => Outcome::Failed,
        }
    }
}

fn book(therapist: &str, at: DateTime<Utc>) -> Ask {
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let body = format!(
        r#"{{"title":"Weekly session","startTime":"{at}","duration":30,"meetingType":"video","therapistId":"{therapist}"}}"#
    );
    Ask::post("/api/booking/meetings", body)
}

fn is_taken(body: &Bytes) -> bool {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    problem.is_some_and(|problem| problem["code"] == TAKEN)
}
