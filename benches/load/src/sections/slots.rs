//! What only reads.

use hyper::StatusCode;

use super::{Bench, asked, dates};
use crate::Fallible;
use crate::fill::Filled;
use crate::http::{self, Ask};
use crate::scripts::{self, Book};
use crate::serving::{Cache, Serving};
use crate::table::{Against, Part};

/// How many therapists are asked for over and over.
const HOT: u32 = 100;

impl Bench<'_> {
    /// GET slots, against bare endpoints.
    pub(crate) async fn slots(&self, on: &Filled) -> Fallible<Part> {
        let cached = self.serve(on, Cache::On).await?;
        let bare = self.bare(on, &cached).await?;
        let (clients, tokens) = (self.options.clients, &self.tokens);
        let therapists = on.therapists;
        let hot = || scripts::slots(tokens, HOT.min(therapists), dates(on.monday));
        let any = || scripts::slots(tokens, therapists, dates(on.monday));
        let at_bare = |path| scripts::signed_in(path, tokens);
        let size = self.answer(on, &cached).await?.len();
        let name = format!("bare endpoint, signed in, the same {size} bytes");
        let mut subjects = vec![
            (asked(name, &[&bare], clients, at_bare("/signed-in")), None),
            (
                asked(
                    "bare endpoint, signed in, one `SELECT 1`",
                    &[&bare],
                    clients,
                    at_bare("/select-1"),
                ),
                None,
            ),
        ];
        let uncached = if self.starter.has_cache() {
            let name = "GET slots, 100 therapists on 7 dates, warm cache";
            subjects.push((asked(name, &[&cached], clients, hot()), Against::rate(0, 0.7)));
            let name = "GET slots, any therapist on 7 dates, cache";
            subjects.push((asked(name, &[&cached], clients, any()), Against::told(0)));
            Some(self.serve(on, Cache::Off).await?)
        } else {
            None
        };
        let uncached = uncached.as_ref().unwrap_or(&cached);
        let name = "GET slots, 100 therapists on 7 dates, no cache";
        subjects.push((asked(name, &[uncached], clients, hot()), Against::rate(1, 0.6)));
        let name = "GET slots, any therapist on 7 dates, no cache";
        subjects.push((asked(name, &[uncached], clients, any()), Against::rate(1, 0.6)));
        self.turns(format!("GET slots, {} meetings, {clients} clients", on.meetings), subjects)
            .await
    }

    /// GET meetings of those who have few and many. A page has a thousand at most.
    pub(crate) async fn lists(&self, on: &Filled) -> Fallible<Part> {
        let server = self.serve(on, Cache::On).await?;
        let clients = self.options.clients.min(8);
        let mut subjects = vec![];
        for many in [10, 1_000, 10_000] {
            let token = self.issuer.client(&format!("client_with_{many}"))?;
            for (what, query) in [("first 10", "?limit=10"), ("first page", "")] {
                let path = format!("/api/booking/meetings{query}");
                let ask = Ask::get(path).with(&token);
                let name = format!("GET meetings of a client with {many}, {what}");
                let against = if many == 10 { None } else { Against::told(subjects.len() % 2) };
                subjects.push((asked(name, &[&server], clients, scripts::same(ask)), against));
            }
        }
        self.turns(format!("GET meetings, {} meetings, {clients} clients", on.meetings), subjects)
            .await
    }

    /// Tokens against none, two processes against one.
    pub(crate) async fn ways(&self, on: &Filled) -> Fallible<Part> {
        let one = self.serve(on, Cache::On).await?;
        let two = self.serve(on, Cache::On).await?;
        let bare = self.bare(on, &one).await?;
        let (clients, tokens) = (self.options.clients, &self.tokens);
        let any = || scripts::slots(tokens, on.therapists, dates(on.monday));
        let starts = self.starts(on).await?;
        let book = || Book { starts: starts.clone(), tokens: tokens.clone() };
        let open = scripts::same(Ask::get("/open"));
        let subjects = vec![
            (asked("bare endpoint, no token", &[&bare], clients, open), None),
            (
                asked(
                    "bare endpoint, signed in",
                    &[&bare],
                    clients,
                    scripts::signed_in("/signed-in", tokens),
                ),
                Against::told(0),
            ),
            (asked("GET slots, one process", &[&one], clients, any()), None),
            (asked("GET slots, two processes", &[&one, &two], clients, any()), Against::told(2)),
            (asked("POST meetings, one process", &[&one], clients, book()), None),
            (
                asked("POST meetings, two processes", &[&one, &two], clients, book()),
                Against::told(4),
            ),
        ];
        let title = format!("Ways to ask, {} meetings, {clients} clients", on.meetings);
        self.turns(title, subjects).await
    }

    /// A server that knows all tokens.
    pub(crate) async fn serve(&self, on: &Filled, cache: Cache) -> Fallible<Serving> {
        let serving = self.starter.serve(&on.url(), cache).await?;
        scripts::introduce(serving.address, &self.tokens).await?;
        Ok(serving)
    }

    /// One that answers with what the other answers.
    async fn bare(&self, on: &Filled, as_of: &Serving) -> Fallible<Serving> {
        self.starter.bare(&on.url(), &self.answer(on, as_of).await?).await
    }

    async fn answer(&self, on: &Filled, server: &Serving) -> Fallible<Vec<u8>> {
        let path = format!("/api/booking/slots?therapistId=therapist_0&date={}", on.monday);
        let token = self.tokens.first().ok_or("no therapists")?;
        let (status, body) = http::once(server.address, &Ask::get(path).with(token)).await?;
        if status == StatusCode::OK { Ok(body.to_vec()) } else { Err(format!("{body:?}").into()) }
    }
}
