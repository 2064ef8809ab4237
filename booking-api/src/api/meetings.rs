//! `/booking/meetings`.

use booking_core::{
    Booking, ExpectedVersion, MeetingFilter, MeetingId, MeetingView, PageLimit, Place, Refusal,
};
use chrono::{DateTime, Utc};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{Book, ListMeetings, SignedIn, UseMeeting};
use crate::body::{Body, plain};
use crate::dto::{MeetingCancelDto, MeetingCreateDto, MeetingDto, MeetingUpdateDto};
use crate::params::{IdempotencyHeader, IfMatch, Limit, StatusList, next_page};
use crate::problem::Problem;
use crate::wire::Wire;

type MeetingLimit = Limit<{ PageLimit::MAX.get() }, { PageLimit::MAX.get() }>;

pub(crate) struct MeetingsApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Created {
    /// The session is booked.
    #[oai(status = 201)]
    Created(
        Json<MeetingDto>,
        /// The meeting's version.
        #[oai(header = "ETag")]
        String,
        /// Where the meeting is.
        #[oai(header = "Location")]
        String,
        /// `true` when this is the first answer again.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum Listed {
    /// The caller's meetings, soonest start first.
    #[oai(status = 200)]
    Ok(
        Json<Vec<MeetingDto>>,
        /// When there is more: the address of the next page (RFC 8288).
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[derive(ApiResponse)]
enum One {
    /// The meeting.
    #[oai(status = 200)]
    Ok(
        Json<MeetingDto>,
        /// The meeting's version.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Chapter::Meetings")]
impl MeetingsApi {
    /// Book a session
    ///
    /// Clients book for themselves; therapists name the client. The start must be one of the
    /// therapist's slots.
    #[oai(path = "/booking/meetings", method = "post", operation_id = "createMeeting")]
    async fn create(
        &self,
        caller: SignedIn<Book>,
        request: &Request,
        /// Makes repeats of this request within 24 hours answer alike and book once.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyHeader,
        body: Body<MeetingCreateDto>,
    ) -> Result<Created, Problem> {
        let booked = self.0.book(&caller.actor, &body.0.into(), key.0).await?;
        let location = format!("{}/{}", request.original_uri().path(), booked.value.meeting.id);
        let replayed = booked.replayed.then(|| "true".to_owned());
        let etag = etag(&booked.value);
        Ok(Created::Created(Json(booked.value.into()), etag, location, replayed))
    }

    /// List one's meetings
    ///
    /// Soonest start first, in either role. Where their texts are long, a page has fewer than `limit`, and
    /// goes on all the same.
    #[oai(path = "/booking/meetings", method = "get", operation_id = "listMeetings")]
    #[expect(clippy::too_many_arguments, reason = "one for each query parameter")]
    async fn list(
        &self,
        caller: SignedIn<ListMeetings>,
        request: &Request,
        /// Only these statuses, separated by commas: `SCHEDULED,CONFIRMED`.
        status: Query<Option<Wire<StatusList>>>,
        /// Only meetings that start at or after this instant.
        from: Query<Option<Wire<DateTime<Utc>>>>,
        /// Only meetings that start before this instant.
        to: Query<Option<Wire<DateTime<Utc>>>>,
        /// At most so many.
        limit: Query<Option<Wire<MeetingLimit>>>,
        /// Where to go on: from the `Link` header of the page before.
        cursor: Query<Option<Wire<Place>>>,
    ) -> Result<Listed, Problem> {
        let filter = MeetingFilter {
            statuses: plain(status.0).map(|list| list.0).unwrap_or_default(),
            from: plain(from.0),
            to: plain(to.0),
            after: plain(cursor.0),
            limit: Limit::or_default(plain(limit.0)),
        };
        let page = self.0.meetings(&caller.actor, &filter).await?;
        let link = page.next.map(|place| next_page(request, &place));
        Ok(Listed::Ok(Json(page.items.into_iter().map(MeetingDto::from).collect()), link))
    }

    /// Read a meeting
    ///
    /// For its participants. The `ETag` is its version.
    #[oai(path = "/booking/meetings/:id", method = "get", operation_id = "getMeeting")]
    async fn read(
        &self,
        caller: SignedIn<UseMeeting>,
        /// The meeting.
        id: Path<String>,
    ) -> Result<One, Problem> {
        Ok(one(self.0.meeting(&caller.actor, meeting_id(&id)?).await?))
    }

    /// Change a meeting
    ///
    /// Its details, its time, its therapist or its status. Fields that are left out stay.
    #[oai(path = "/booking/meetings/:id", method = "put", operation_id = "updateMeeting")]
    async fn update(
        &self,
        caller: SignedIn<UseMeeting>,
        /// The meeting.
        id: Path<String>,
        /// Change it only if its `ETag` is one of these.
        #[oai(name = "If-Match")]
        expected: IfMatch,
        body: Body<MeetingUpdateDto>,
    ) -> Result<One, Problem> {
        let (id, patch) = (meeting_id(&id)?, body.0.into_patch());
        Ok(one(self.0.update(&caller.actor, id, &patch, &expected.0).await?))
    }

    /// Cancel a meeting
    ///
    /// For its participants, until it is closed.
    #[oai(path = "/booking/meetings/:id/cancel", method = "delete", operation_id = "cancelMeeting")]
    async fn cancel(
        &self,
        caller: SignedIn<UseMeeting>,
        /// The meeting.
        id: Path<String>,
        /// Cancel it only if its `ETag` is one of these.
        #[oai(name = "If-Match")]
        expected: IfMatch,
    ) -> Result<One, Problem> {
        self.cancel_for(&caller, &id, None, &expected.0).await
    }

    /// Cancel a meeting, and say why
    ///
    /// For its participants, until it is closed. The body may be left out.
    #[oai(
        path = "/booking/meetings/:id/cancel",
        method = "post",
        operation_id = "cancelMeetingWithReason"
    )]
    async fn cancel_with_reason(
        &self,
        caller: SignedIn<UseMeeting>,
        /// The meeting.
        id: Path<String>,
        /// Cancel it only if its `ETag` is one of these.
        #[oai(name = "If-Match")]
        expected: IfMatch,
        body: Body<Option<MeetingCancelDto>>,
    ) -> Result<One, Problem> {
        self.cancel_for(&caller, &id, body.0, &expected.0).await
    }
}

impl MeetingsApi {
    async fn cancel_for(
        &self,
        caller: &SignedIn<UseMeeting>,
        id: &str,
        body: Option<MeetingCancelDto>,
        expected: &ExpectedVersion,
    ) -> Result<One, Problem> {
        let reason = body.and_then(MeetingCancelDto::into_reason);
        let id = meeting_id(id)?;
        Ok(one(self.0.cancel(&caller.actor, id, reason.as_ref(), expected).await?))
    }
}

fn one(view: MeetingView) -> One {
    let etag = etag(&view);
    One::Ok(Json(view.into()), etag)
}

/// A text that is no id of ours names no meeting of ours.
fn meeting_id(text: &str) -> Result<MeetingId, Problem> {
    text.parse().map_err(|_| Refusal::MeetingNotFound.into())
}

/// A strong entity tag (RFC 9110, section 8.8.3).
fn etag(view: &MeetingView) -> String {
    format!("\"{}\"", view.meeting.version)
}
