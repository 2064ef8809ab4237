//! Every error that leaves the API: RFC 9457 problems (contract, "Status codes and codes").
//!
//! This is the one place that turns refusals and failures into statuses.

use std::fmt;
use std::time::Duration;

use booking_core::{BookingError, Operation, Refusal, StoreError, format_instant};
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Response, error::ResponseError};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $title:literal, $about:literal;)+) => {
        /// What went wrong, for programs: the `code` of a problem, and the end of its `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $about] $variant,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as it stands in a problem.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status that comes with it; `role_required` is 401 for availability.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// A few words, always the same for a code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What a reader of `/problems/<code>` is told.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)+ }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", BAD_REQUEST, "Invalid request",
        "The request is malformed: bad JSON, a missing field, a wrong type or format. `errors` names the fields.";
    SlotConflict = "slot_conflict", BAD_REQUEST, "Time taken",
        "The session would overlap another live meeting of the therapist or of the client, or time of the therapist's that is held for somebody else, or come closer to one of the therapist's than they want. Ask for the slots again.";
    OutsideAvailability = "outside_availability", BAD_REQUEST, "Outside availability",
        "Part of the session lies outside the therapist's availability: their weekly windows, or those of an override.";
    NotOnGrid = "not_on_grid", BAD_REQUEST, "Not a slot",
        "Sessions start every 30 minutes, or as often as the therapist has set, counted from the start of the therapist's availability window.";
    InThePast = "in_the_past", BAD_REQUEST, "In the past",
        "The start of the session is not in the future.";
    TooSoon = "too_soon", BAD_REQUEST, "Too soon",
        "The start is sooner than the therapist takes bookings for: see `minimumNotice` of their settings.";
    BeyondHorizon = "beyond_horizon", BAD_REQUEST, "Too far ahead",
        "The therapist does not take bookings for that date yet: see `bookingHorizon` of their settings.";
    DurationNotOffered = "duration_not_offered", BAD_REQUEST, "Length not offered",
        "The therapist does not offer sessions of that length. The list of slots says which they do.";
    DayFull = "day_full", BAD_REQUEST, "Day full",
        "As many of the therapist's sessions begin on that date as they take on one.";
    WeekFull = "week_full", BAD_REQUEST, "Week full",
        "As many of the therapist's sessions begin in that week as they take in one.";
    TooLateToCancel = "too_late_to_cancel", BAD_REQUEST, "Too late to cancel",
        "The start is too close for a client to cancel the session. The therapist still can.";
    TooLateToReschedule = "too_late_to_reschedule", BAD_REQUEST, "Too late to move",
        "The start is too close for a client to move the session. The therapist still can.";
    AvailabilityOverlap = "availability_overlap", BAD_REQUEST, "Availability overlaps",
        "Two availability slots of one weekday would overlap; switched-off slots count too.";
    AvailabilityLimit = "availability_limit", BAD_REQUEST, "Too many windows",
        "A weekday can have at most 48 availability slots.";
    OverrideOverlap = "override_overlap", BAD_REQUEST, "Overrides overlap",
        "Another override has one of these dates; no date has two. Change that one, or delete it.";
    OverrideLimit = "override_limit", BAD_REQUEST, "Too many overrides",
        "There can be at most 400 overrides. Delete some that are past.";
    SeriesRefused = "series_refused", BAD_REQUEST, "Series not booked",
        "Sessions of the series cannot be booked, so none was. `errors` names them by their places in the preview, which says why, too.";
    MeetingClosed = "meeting_closed", BAD_REQUEST, "Meeting closed",
        "The meeting is completed, cancelled or a no-show, and can no longer change.";
    InvalidTransition = "invalid_transition", BAD_REQUEST, "Status not reachable",
        "The status cannot be reached from where the meeting stands, by this participant, at this time.";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Not signed in",
        "There is no valid bearer token: none was sent, or it is malformed, expired, not yet valid, or of another issuer.";
    RoleRequired = "role_required", FORBIDDEN, "Role required",
        "The role of the signed-in user may not do this. The status is 401 for availability, which is for therapists.";
    NoRelationship = "no_relationship", FORBIDDEN, "Not related",
        "Client and therapist are not related; only related ones can hold sessions.";
    Forbidden = "forbidden", FORBIDDEN, "Not yours",
        "The signed-in user is not a participant of the meeting, not the owner of the slot, or not on the side that may do this.";
    TherapistNotFound = "therapist_not_found", NOT_FOUND, "No such therapist",
        "There is no therapist with this id.";
    MeetingNotFound = "meeting_not_found", NOT_FOUND, "No such meeting",
        "There is no meeting with this id.";
    SeriesNotFound = "series_not_found", NOT_FOUND, "No such series",
        "There is no series with this id.";
    HoldNotFound = "hold_not_found", NOT_FOUND, "No such hold",
        "You hold nothing with this id. It may have expired, been used up by a booking, or given way to a later hold.";
    AvailabilityNotFound = "availability_not_found", NOT_FOUND, "No such availability slot",
        "There is no availability slot with this id.";
    OverrideNotFound = "override_not_found", NOT_FOUND, "No such override",
        "There is no override with this id.";
    UserNotFound = "user_not_found", NOT_FOUND, "No such user",
        "The directory has no user with this id.";
    FeedNotFound = "feed_not_found", NOT_FOUND, "No such calendar feed",
        "There is no calendar feed with this id or at this address. It may have been revoked.";
    FeedLimit = "feed_limit", BAD_REQUEST, "Too many calendar feeds",
        "Everybody can have 10 calendar feeds. Revoke one that is no longer read.";
    CalendarNotFound = "calendar_not_found", NOT_FOUND, "No such linked calendar",
        "There is no linked calendar with this id that is yours.";
    CalendarLimit = "calendar_limit", BAD_REQUEST, "Too many linked calendars",
        "A therapist can link 10 calendars.";
    CalendarsDisabled = "calendars_disabled", CONFLICT, "No calendars here",
        "This server links no calendars: nobody has given it a key to keep their addresses with.";
    WebhookNotFound = "webhook_not_found", NOT_FOUND, "No such webhook",
        "There is no webhook with this id.";
    WebhookLimit = "webhook_limit", BAD_REQUEST, "Too many webhooks",
        "There can be at most 64 webhooks. Delete one that is no longer needed.";
    NotFound = "not_found", NOT_FOUND, "No such address",
        "The server has nothing at this address.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "The address exists, but not for this method; `Allow` names those it has.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "Too slow",
        "The body of the request did not arrive in time.";
    IdempotencyInFlight = "idempotency_in_flight", CONFLICT, "Still being worked on",
        "The first request with this Idempotency-Key has not been answered yet. Try again shortly.";
    VersionMismatch = "version_mismatch", PRECONDITION_FAILED, "Changed since",
        "The meeting, or the settings, have changed since the version named in If-Match. Read them again and decide anew.";
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "Body too large",
        "The body of a request may have at most 64 KiB.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Not JSON",
        "The body of a request must be sent as `Content-Type: application/json`.";
    IdempotencyMismatch = "idempotency_mismatch", UNPROCESSABLE_ENTITY, "Key used before",
        "This Idempotency-Key came with a different request before. Keys are for repeats of one request.";
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS, "Too many streams",
        "This user has as many streams open as a user may. Close one, and try again.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests",
        "This user, or this address, has asked too often. Try again after the seconds in Retry-After; `RateLimit` says how much is left.";
    UriTooLong = "uri_too_long", URI_TOO_LONG, "Address too long",
        "The address of a request may have at most 8 KiB, with its query.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers too large",
        "The headers of a request may have at most 16 KiB together.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Our mistake",
        "Something went wrong on the server. Quote the request id when you report it.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Unavailable",
        "The store cannot be reached or is overloaded, what the request is about was changed by others again and again, the server has as many open streams or requests under way as it takes, or it is about to stop. Try again after the seconds in Retry-After. A change may have been made nevertheless, if its answer was lost: with an Idempotency-Key, the same request again finds out.";
}

/// The media type of problems.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a caller should try again what was unavailable.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An error on its way out.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    /// Seconds, for what may go well later.
    retry_after: u64,
    /// For the log; never sent.
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A field of the request that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901) into the body, or `/` and the name of a query parameter or
    /// header.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

impl FieldError {
    pub(crate) fn at(field: &str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("/{field}"), detail: detail.into() }
    }
}

/// A problem (RFC 9457) as it goes over the wire.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
pub struct ProblemBody {
    /// `/problems/` and the code; the server answers there with an explanation.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    type_: String,
    /// A few words, always the same for a code.
    title: String,
    /// The HTTP status, again.
    status: i32,
    /// What happened this time.
    detail: String,
    /// What went wrong, for programs.
    code: String,
    /// For invalid input: the fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
    /// For errors of the server: what to quote when reporting them.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    #[oai(rename = "requestId")]
    request_id: Option<String>,
}

impl Problem {
    /// A problem with what happened this time.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: RETRY_AFTER_SECONDS,
            cause: None,
        }
    }

    /// Input that is not as it must be.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.detail),
            several => format!("{} fields are not as they must be", several.len()),
        };
        Self { errors, ..Self::new(Code::InvalidRequest, detail) }
    }

    /// The same, to be tried again after this time.
    pub(crate) fn retry_after(self, time: Duration) -> Self {
        // Not a moment too early.
        Self { retry_after: time.as_secs() + 1, ..self }
    }

    pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "something went wrong on the server";
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal, detail) }
    }

    pub(crate) fn unavailable(
        detail: &str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let detail = format!("{detail} right now");
        Self { cause: Some(cause.into()), ..Self::new(Code::Unavailable, detail) }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The response, for a request with this id, from an API that is mounted under `prefix`. Errors
    /// of the server carry the id.
    #[must_use]
    pub(crate) fn into_response(self, request_id: &str, prefix: &str) -> Response {
        let body = ProblemBody {
            type_: format!("{prefix}/problems/{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.status.as_u16().into(),
            detail: self.detail,
            code: self.code.as_str().to_owned(),
            errors: Some(self.errors).filter(|errors| !errors.is_empty()),
            request_id: self.status.is_server_error().then(|| request_id.to_owned()),
        };
        let json = serde_json::to_string(&body).unwrap_or_default();
        let mut response =
            Response::builder().status(self.status).content_type(PROBLEM_JSON).body(json);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, challenge(self.code));
        }
        if matches!(self.status.as_u16(), 429 | 503) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
        response
    }
}

/// RFC 6750, section 3.
fn challenge(code: Code) -> HeaderValue {
    HeaderValue::from_static(match code {
        Code::RoleRequired => "Bearer error=\"insufficient_scope\"",
        _ => "Bearer",
    })
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}

/// For apps that mount the routes without the layer that knows the request id.
impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<BookingError> for Problem {
    fn from(error: BookingError) -> Self {
        match error {
            BookingError::Refused(refusal) => refusal.into(),
            // Nothing is broken: whoever asked is told what was in the way.
            BookingError::Contended(_) => Self::new(Code::Unavailable, error.to_string()),
            BookingError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable("the store cannot be reached", error),
            StoreError::Corrupt(_) => Self::internal(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::Invalid { field, detail } => {
                Self::invalid(vec![FieldError::at(field, *detail)])
            }
            Refusal::RoleRequired { operation: Operation::ManageAvailability } => {
                // The contract wants 401 here, and 403 for every other operation.
                let problem = Self::new(Code::RoleRequired, "only therapists manage availability");
                Self { status: StatusCode::UNAUTHORIZED, ..problem }
            }
            Refusal::SeriesRefused(left_out) => {
                let errors = left_out.iter().map(|one| {
                    let (code, start) = (Code::of(&one.refusal), format_instant(one.start));
                    let detail = format!("{} at {start}: {}", code.as_str(), one.refusal);
                    FieldError::at(&format!("occurrences/{}", one.index), detail)
                });
                Self {
                    errors: errors.collect(),
                    ..Self::new(Code::of(&refusal), refusal.to_string())
                }
            }
            other => Self::new(Code::of(other), other.to_string()),
        }
    }
}

impl Code {
    /// The code of a refusal.
    pub(crate) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Invalid { .. } => Self::InvalidRequest,
            Refusal::RoleRequired { .. } => Self::RoleRequired,
            Refusal::Forbidden => Self::Forbidden,
            Refusal::NoRelationship => Self::NoRelationship,
            Refusal::TherapistNotFound => Self::TherapistNotFound,
            Refusal::MeetingNotFound => Self::MeetingNotFound,
            Refusal::AvailabilityNotFound => Self::AvailabilityNotFound,
            Refusal::UserNotFound => Self::UserNotFound,
            Refusal::FeedNotFound => Self::FeedNotFound,
            Refusal::TooManyFeeds => Self::FeedLimit,
            Refusal::HoldNotFound => Self::HoldNotFound,
            Refusal::CalendarNotFound => Self::CalendarNotFound,
            Refusal::TooManyCalendars => Self::CalendarLimit,
            Refusal::WebhookNotFound => Self::WebhookNotFound,
            Refusal::TooManyWebhooks => Self::WebhookLimit,
            Refusal::OverrideNotFound => Self::OverrideNotFound,
            Refusal::OverrideOverlap => Self::OverrideOverlap,
            Refusal::TooManyOverrides => Self::OverrideLimit,
            Refusal::VersionMismatch => Self::VersionMismatch,
            Refusal::InThePast => Self::InThePast,
            Refusal::OutsideAvailability => Self::OutsideAvailability,
            Refusal::NotOnGrid => Self::NotOnGrid,
            Refusal::TooSoon => Self::TooSoon,
            Refusal::BeyondHorizon => Self::BeyondHorizon,
            Refusal::DurationNotOffered => Self::DurationNotOffered,
            Refusal::DayFull => Self::DayFull,
            Refusal::WeekFull => Self::WeekFull,
            Refusal::TooLateToCancel => Self::TooLateToCancel,
            Refusal::TooLateToReschedule => Self::TooLateToReschedule,
            Refusal::SlotConflict => Self::SlotConflict,
            Refusal::AvailabilityOverlap => Self::AvailabilityOverlap,
            Refusal::TooMuchAvailability => Self::AvailabilityLimit,
            Refusal::MeetingClosed => Self::MeetingClosed,
            Refusal::InvalidTransition { .. } => Self::InvalidTransition,
            Refusal::IdempotencyMismatch => Self::IdempotencyMismatch,
            Refusal::IdempotencyInFlight => Self::IdempotencyInFlight,
            Refusal::SeriesNotFound => Self::SeriesNotFound,
            Refusal::SeriesRefused(_) => Self::SeriesRefused,
        }
    }
}

/// Which problems an operation answers with is documented in `spec/answers.rs`.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let content_type = PROBLEM_JSON;
        let any = MetaResponse {
            description: "",
            status: Some(500),
            status_range: None,
            content: vec![MetaMediaType { content_type, schema: ProblemBody::schema_ref() }],
            headers: vec![],
        };
        MetaResponses { responses: vec![any] }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}
