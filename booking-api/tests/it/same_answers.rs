//! One script of requests, played on every store: the answers are the same byte for byte, but for
//! ids and for the seconds at which something was written.

mod holds;
mod steps;
mod terms;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use reqwest::Method;
use serde_json::Value;

use crate::caller::{Answer, Caller};
use crate::server::{Server, Store};

/// What was asked and answered so far.
struct Script<'a> {
    server: &'a Server,
    /// The clock's date.
    today: &'static str,
    steps: Vec<String>,
    /// Ids that the store has made, in the order in which they came.
    ids: Vec<String>,
    outcomes: BTreeSet<(u16, String)>,
}

#[tokio::test]
async fn every_store_gives_the_same_answers() {
    let mut scripts = Vec::new();
    for store in [Store::Memory, Store::Sqlite, Store::Postgres] {
        let server = Server::start(store).await;
        let mut script = Script::on(&server);
        script.play().await;
        scripts.push((script.steps, script.outcomes));
    }
    let [(memory, outcomes), others @ ..] = &scripts[..] else { unreachable!() };
    for (others, _) in others {
        assert_eq!(memory.len(), others.len());
        for (one, other) in memory.iter().zip(others) {
            assert!(one == other, "{one}\n\n{other}");
        }
    }
    let codes: BTreeSet<&str> = outcomes.iter().map(|(_, code)| code.as_str()).collect();
    let missing: Vec<_> = CODES.iter().filter(|code| !codes.contains(*code)).collect();
    assert!(missing.is_empty(), "nothing was refused with {missing:?}");
}

/// A little over a minute, for the clock goes on meanwhile: what lasts some minutes ends between two
/// requests, not during one, and none begins in one minute and ends in the next.
const STEP: usize = 64;

/// All that a request can be refused with, but for what takes a race, a failure or very much.
const CODES: [&str; 28] = [
    "",
    "availability_limit",
    "availability_not_found",
    "availability_overlap",
    "feed_not_found",
    "forbidden",
    "hold_not_found",
    "idempotency_mismatch",
    "in_the_past",
    "invalid_request",
    "invalid_transition",
    "meeting_closed",
    "meeting_not_found",
    "method_not_allowed",
    "no_relationship",
    "not_found",
    "not_on_grid",
    "outside_availability",
    "payload_too_large",
    "role_required",
    "series_not_found",
    "series_refused",
    "slot_conflict",
    "therapist_not_found",
    "unauthenticated",
    "unsupported_media_type",
    "user_not_found",
    "version_mismatch",
];

impl<'a> Script<'a> {
    fn on(server: &'a Server) -> Self {
        let (steps, ids, outcomes) = Default::default();
        Self { server, today: "2024-01-01", steps, ids, outcomes }
    }

    /// One more request, [`STEP`] seconds after the one before.
    async fn ask(&mut self, who: &Caller, method: &str, path: &str, body: Option<Value>) -> Answer {
        let bytes = body.map(|body| body.to_string().into_bytes());
        self.ask_raw(who, method, path, bytes).await
    }

    async fn ask_raw(
        &mut self,
        who: &Caller,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Answer {
        let n = self.steps.len();
        let second = 12 * 3600 + STEP * n;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let now = format!("{}T{hour:02}:{minute:02}:{:02}Z", self.today, second % 60);
        self.server.set_clock(&now).await;
        let who = who.with("x-request-id", format!("step-{n}"));
        let asked = body.as_deref().map(|body| String::from_utf8_lossy(body).into_owned());
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = who.send(method.clone(), path, body).await;
        let mut step = format!("{n}: {method} {path} {}\n", asked.unwrap_or_default());
        let mut headers: Vec<(&str, &str)> = Vec::new();
        for (name, value) in &answer.headers {
            headers.push((name.as_str(), value.to_str().expect("an ASCII header")));
        }
        headers.sort_unstable();
        writeln!(step, "{}", answer.status).expect("there is memory");
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "date") {
            writeln!(step, "{name}: {value}").expect("there is memory");
        }
        step.push_str(&answer.text);
        let step = self.normal(&step);
        self.steps.push(step);
        self.outcomes.insert((answer.status, answer.outcome().1.to_owned()));
        answer
    }

    /// What may differ, and only where it has the form that it must have: ids are numbered in the
    /// order of their coming, cursors (which have ids in them) are only there or not, and what was
    /// written has the minute of its request.
    fn normal(&mut self, step: &str) -> String {
        const ID: usize = 26;
        const CURSOR: usize = 32;
        let mut rest = step;
        let mut normal = String::new();
        let marks = [
            "meeting_",
            "avail_",
            "override_",
            "series_",
            "hold_",
            "cursor=",
            "edAt\":\"",
            "resAt\":\"",
        ];
        while let Some((at, mark)) =
            marks.iter().filter_map(|mark| Some((rest.find(mark)?, *mark))).min()
        {
            let (before, after) = rest.split_at(at + mark.len());
            normal.push_str(before);
            let is_end = |c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c);
            let word = after.find(is_end).unwrap_or(after.len());
            rest = match mark {
                "meeting_" | "avail_" | "override_" | "series_" | "hold_" if word == ID => {
                    let known = self.ids.iter().position(|id| *id == after[..ID]);
                    let number = known.unwrap_or_else(|| {
                        self.ids.push(after[..ID].to_owned());
                        self.ids.len() - 1
                    });
                    write!(normal, "<{number}>").expect("there is memory");
                    &after[ID..]
                }
                "cursor=" if word == CURSOR => &after[word..],
                "edAt\":\"" | "resAt\":\"" => {
                    let minute = "2024-01-01T12:00".len();
                    normal.push_str(&after[..minute]);
                    &after[after.find('"').expect("texts end")..]
                }
                _ => after,
            };
        }
        normal + rest
    }

    async fn get(&mut self, who: &Caller, path: &str) -> Answer {
        self.ask(who, "GET", path, None).await
    }

    async fn post(&mut self, who: &Caller, path: &str, body: Value) -> Answer {
        self.ask(who, "POST", path, Some(body)).await
    }

    async fn put(&mut self, who: &Caller, path: &str, body: Value) -> Answer {
        self.ask(who, "PUT", path, Some(body)).await
    }
}
