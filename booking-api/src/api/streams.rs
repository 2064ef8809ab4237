//! What is streamed: `/booking/events` and `/booking/slots/stream`.

use booking_core::UserId;
use chrono::NaiveDate;
use poem::Request;
use poem_openapi::param::Query;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ListMeetings, ListSlots, SignedIn};
use crate::body::plain;
use crate::params::{LastEventId, Sequence};
use crate::problem::Problem;
use crate::streams::{Source, Sse, Streams, hello};
use crate::wire::Wire;

pub(crate) struct StreamsApi {
    pub(crate) streams: Streams,
    /// The `source` of all events.
    pub(crate) event_source: String,
}

#[derive(ApiResponse)]
enum Streamed {
    /// Server-sent events, until the client leaves, the token expires or the server stops. The
    /// server sends a comment every 15 seconds when there is nothing else.
    #[oai(status = 200)]
    Ok(Sse),
}

#[OpenApi(tag = "Chapter::Live")]
impl StreamsApi {
    /// Stream the events of one's meetings
    ///
    /// For clients and therapists: a stream of server-sent events (`text/event-stream`). Each has
    /// the event's place in the log as `id`, its type as `event`, such as
    /// `booking.appointment.booked.v1`, and the CloudEvent in JSON as `data`. Only a therapist sees
    /// the session notes.
    ///
    /// It begins with what happens from now on. A client that reconnects sends the last `id` that it
    /// has seen as `Last-Event-ID`, as browsers' `EventSource` does by itself, and misses nothing; it
    /// may see an event twice, and knows it by the `id` in its data. The stream begins with an `id`,
    /// so that there always is one.
    #[oai(path = "/booking/events", method = "get", operation_id = "streamEvents")]
    async fn events(
        &self,
        caller: SignedIn<ListMeetings>,
        request: &Request,
        /// The last event that was seen: the stream begins with the next.
        #[oai(name = "Last-Event-ID")]
        header: LastEventId,
        /// The same, for clients that cannot set headers. The header counts when both are there.
        #[oai(name = "lastEventId")]
        query: Query<Option<Wire<Sequence>>>,
    ) -> Result<Streamed, Problem> {
        let seat = self.streams.seat(&caller.actor)?;
        let after = header.0.or(plain(query.0)).map(|Sequence(sequence)| sequence);
        let stream = self.streams.live.events(&caller.actor, after).await?;
        let hello = hello(Some(stream.position()));
        let reader = caller.actor.id.clone();
        let source = Source::Events { stream, reader, origin: self.event_source.clone() };
        Ok(Streamed::Ok(self.streams.start(seat, caller.expires_at, request, hello, source)))
    }

    /// Stream what can be booked on a day
    ///
    /// A stream of server-sent events (`text/event-stream`) of the type `slots`. The `data` of each
    /// is the whole list, as `GET /booking/slots` has it for the same caller: at first as it is, and
    /// then whenever it is another one, within a second. A client that reconnects gets the list as it
    /// is then.
    #[oai(path = "/booking/slots/stream", method = "get", operation_id = "streamSlots")]
    async fn slots(
        &self,
        caller: SignedIn<ListSlots>,
        request: &Request,
        /// With whom.
        #[oai(name = "therapistId")]
        therapist: Query<Wire<UserId>>,
        /// When, in the therapist's zone.
        date: Query<Wire<NaiveDate>>,
    ) -> Result<Streamed, Problem> {
        let seat = self.streams.seat(&caller.actor)?;
        let stream = self.streams.live.slots(&caller.actor, &therapist.0.0, date.0.0);
        let mut source = Source::Slots(stream);
        let first = source.next().await?;
        let hello = hello(None) + &first.concat();
        Ok(Streamed::Ok(self.streams.start(seat, caller.expires_at, request, hello, source)))
    }
}
