//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): what all
//! streams have in common.

mod pump;
mod seats;
mod sse;

use booking_core::{Actor, Live};
use chrono::{DateTime, Utc};
use poem::Request;
use tokio_util::sync::CancellationToken;

use crate::http::RequestId;
use crate::problem::{Code, Problem};

pub use seats::StreamLimits;

pub(crate) use pump::Source;
pub(crate) use seats::{Seat, Seats};
pub(crate) use sse::{Sse, hello};

/// What streams need of the API that they are a part of.
#[derive(Clone)]
pub(crate) struct Streams {
    pub(crate) live: Live,
    pub(crate) seats: Seats,
    /// Ends all streams.
    pub(crate) closing: CancellationToken,
}

impl Streams {
    /// Lets the actor have one more stream.
    ///
    /// # Errors
    /// When the server, or this user, has as many as they may, or the server is about to stop.
    pub(crate) fn seat(&self, actor: &Actor) -> Result<Seat, Problem> {
        if self.closing.is_cancelled() {
            return Err(Problem::new(Code::Unavailable, "the server is about to stop"));
        }
        self.seats.take(&actor.id)
    }

    /// Starts to send what the source has, after `hello`, until there is a reason to stop.
    pub(crate) fn start(
        &self,
        seat: Seat,
        until: Option<DateTime<Utc>>,
        request: &Request,
        hello: String,
        source: Source,
    ) -> Sse {
        let (pump, body) = pump::pump(until, self.closing.clone());
        tokio::spawn(pump.run(seat, RequestId::of(request), hello, source));
        Sse(body)
    }
}
