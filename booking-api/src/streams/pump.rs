//! From a source to a socket, one message at a time.
//!
//! The body that the server polls and the task that looks for what to send are two: a server does
//! not poll a body while its socket takes nothing, and somebody has to notice.

use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use booking_core::{
    BookingError, Clock, CloudEvent, EventStream, SlotStream, StoreError, SystemClock, UserId,
    with_causes,
};
use chrono::{DateTime, Utc};
use futures_util::stream::poll_fn;
use poem::Body;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::seats::Seat;
use super::sse::{HEARTBEAT, message};
use crate::dto::slots_json;
use crate::http::RequestId;

/// How long a stream may be silent. Proxies take a minute of silence for a broken connection.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// How long a message may wait for the one before it to be taken.
const PATIENCE: Duration = Duration::from_secs(25);
/// How many messages wait.
const WAITING: usize = 1;

/// What a stream is about.
pub(crate) enum Source {
    /// The events of a user's meetings.
    Events { stream: EventStream, reader: UserId, origin: String },
    /// The slots of a day.
    Slots(SlotStream),
}

/// Why a stream has ended.
enum End {
    Left,
    TooSlow,
    TokenExpired,
    Stopping,
    Failed(BookingError),
}

/// One stream's way to its body.
pub(super) struct Pump {
    to: mpsc::Sender<String>,
    until: Option<DateTime<Utc>>,
    closing: CancellationToken,
}

/// A pump, and the body that it fills.
pub(super) fn pump(until: Option<DateTime<Utc>>, closing: CancellationToken) -> (Pump, Body) {
    let (to, mut from) = mpsc::channel(WAITING);
    let messages = poll_fn(move |cx| from.poll_recv(cx).map(|next| next.map(Ok::<_, io::Error>)));
    (Pump { to, until, closing }, Body::from_bytes_stream(messages))
}

impl Pump {
    /// Until there is a reason to stop; then everything that the stream holds is free.
    pub(super) async fn run(self, seat: Seat, request: RequestId, hello: String, source: Source) {
        let begun = Instant::now();
        let stream = source.name();
        let end = tokio::select! {
            biased;
            end = self.is_over() => end,
            end = self.send_all(hello, source) => end,
        };
        let (RequestId(request_id), seconds) = (request, begun.elapsed().as_secs());
        if let End::Failed(error @ (BookingError::Store(_) | BookingError::Contended(_))) = &end {
            tracing::warn!(request_id, cause = with_causes(error), "a stream could not read on");
        }
        tracing::info!(request_id, stream, seconds, end = end.name(), "stream ended");
        // Last: whoever counts streams finds the lines of those that are gone.
        drop(seat);
    }

    async fn send_all(&self, hello: String, mut source: Source) -> End {
        let mut messages = vec![hello];
        loop {
            for message in messages {
                if let Err(end) = self.send(message).await {
                    return end;
                }
            }
            messages = match self.next(&mut source).await {
                Ok(messages) => messages,
                Err(end) => return end,
            };
        }
    }

    /// Waits for messages, and is heard of meanwhile. A question to the store is not broken off for
    /// that: it would cost a connection.
    async fn next(&self, source: &mut Source) -> Result<Vec<String>, End> {
        let mut next = pin!(source.next());
        loop {
            match timeout(HEARTBEAT_EVERY, &mut next).await {
                Ok(messages) => return messages.map_err(End::Failed),
                Err(_) => self.send(HEARTBEAT.to_owned()).await?,
            }
        }
    }

    async fn send(&self, message: String) -> Result<(), End> {
        self.to.send_timeout(message, PATIENCE).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => End::TooSlow,
            SendTimeoutError::Closed(_) => End::Left,
        })
    }

    async fn is_over(&self) -> End {
        tokio::select! {
            () = self.closing.cancelled() => End::Stopping,
            () = self.to.closed() => End::Left,
            () = self.token_expires() => End::TokenExpired,
        }
    }

    /// By the machine's clock, which may be set, or stand still while the machine sleeps.
    async fn token_expires(&self) {
        let Some(until) = self.until else { return std::future::pending().await };
        while let Ok(left) = (until - SystemClock.now()).to_std()
            && !left.is_zero()
        {
            sleep(left.min(HEARTBEAT_EVERY)).await;
        }
    }
}

impl Source {
    const fn name(&self) -> &'static str {
        match self {
            Self::Events { .. } => "events",
            Self::Slots(_) => "slots",
        }
    }

    /// What there is to send, as soon as there is something.
    pub(crate) async fn next(&mut self) -> Result<Vec<String>, BookingError> {
        match self {
            Self::Events { stream, reader, origin } => {
                let events = stream.next().await?;
                let messages = events.iter().map(|recorded| {
                    let event = CloudEvent::seen_by(recorded, origin, reader);
                    let json = serde_json::to_string(&event)
                        .map_err(|error| StoreError::Corrupt(error.into()))?;
                    let kind = recorded.event.payload.event_type().as_str();
                    Ok(message(Some(recorded.sequence), kind, &json))
                });
                messages.collect()
            }
            Self::Slots(stream) => {
                let slots = stream.next().await?;
                Ok(vec![message(None, "slots", &slots_json(&slots))])
            }
        }
    }
}

impl End {
    const fn name(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::TooSlow => "too slow",
            Self::TokenExpired => "token expired",
            Self::Stopping => "stopping",
            Self::Failed(_) => "failed",
        }
    }
}
