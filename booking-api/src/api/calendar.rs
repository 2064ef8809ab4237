//! `/booking/calendar`: what calendar apps subscribe to.

use std::sync::Arc;

use booking_core::{CalendarFeeds, FeedId, FeedKey, Feeds, Refusal};
use poem::http::header;
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiResponse, OpenApi, payload};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;

use crate::Api;
use crate::api::Chapter;
use crate::api::slots::{CACHE_CONTROL, etag};
use crate::auth::{ManageFeeds, SignedIn};
use crate::body::Body;
use crate::dto::{CalendarFeedCreateDto, CalendarFeedDto, CalendarFeedWithPathDto};
use crate::params::IfNoneMatch;
use crate::problem::{Code, Problem};

/// What an address ends in: apps go by it.
const SUFFIX: &str = ".ics";

/// Without feeds, nothing of this is in the document, and nobody finds it.
#[derive(Clone)]
pub(crate) struct CalendarApi(Option<CalendarFeeds>);

#[derive(ApiResponse)]
enum Created {
    /// It can be read from now on.
    #[oai(status = 201)]
    Created(Json<CalendarFeedWithPathDto>),
}

#[derive(ApiResponse)]
enum Revoked {
    /// It cannot be read any more.
    #[oai(status = 204)]
    NoContent,
}

#[derive(ApiResponse)]
enum Read {
    /// A calendar (RFC 5545), or weekly availability (RFC 7953).
    #[oai(status = 200)]
    Ok(
        CalendarText,
        /// Stands for this very text.
        #[oai(header = "ETag")]
        String,
    ),
    /// The calendar is still the one that the caller has.
    #[oai(status = 304)]
    NotModified(
        /// Stands for the calendar.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Chapter::Calendars")]
impl CalendarApi {
    /// List one's calendar feeds
    ///
    /// For clients and therapists. The oldest first, without the addresses.
    #[oai(path = "/booking/calendar/feeds", method = "get", operation_id = "listCalendarFeeds")]
    async fn list(
        &self,
        caller: SignedIn<ManageFeeds>,
    ) -> Result<Json<Vec<CalendarFeedDto>>, Problem> {
        let feeds = self.feeds()?.list(&caller.actor).await?;
        Ok(Json(feeds.into_iter().map(CalendarFeedDto::from).collect()))
    }

    /// Make a calendar feed
    ///
    /// For clients and therapists: one's meetings, or a therapist's weekly availability, for calendar
    /// apps. The answer has the feed's address, this once. Whoever knows it reads the feed without a
    /// token, until it is revoked. Unless its owner wants titles, a feed shows times and nothing else.
    /// Everybody can have 10 feeds.
    #[oai(path = "/booking/calendar/feeds", method = "post", operation_id = "createCalendarFeed")]
    async fn create(
        &self,
        caller: SignedIn<ManageFeeds>,
        request: &Request,
        body: Body<CalendarFeedCreateDto>,
    ) -> Result<Created, Problem> {
        let mut secret = [0; FeedKey::SECRET_BYTES];
        let drawn = SystemRandom::new().fill(&mut secret);
        drawn.map_err(|error| Problem::internal(error.to_string()))?;
        let (feed, key) = self.feeds()?.add(&caller.actor, body.0.into_feed(), secret).await?;
        // Beside `feeds`, wherever the API is.
        let address = request.original_uri().path();
        let folder = address.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = format!("{folder}/{}{SUFFIX}", key.reveal());
        Ok(Created::Created(Json(CalendarFeedWithPathDto { feed: feed.into(), path })))
    }

    /// Revoke a calendar feed
    ///
    /// For its owner. From now on there is nothing at its address.
    #[oai(
        path = "/booking/calendar/feeds/:id",
        method = "delete",
        operation_id = "deleteCalendarFeed"
    )]
    async fn revoke(
        &self,
        caller: SignedIn<ManageFeeds>,
        /// The feed.
        id: Path<String>,
    ) -> Result<Revoked, Problem> {
        // A text that is no id of ours names no feed of ours.
        let id: FeedId = id.parse().map_err(|_| Refusal::FeedNotFound)?;
        self.feeds()?.revoke(&caller.actor, id).await?;
        Ok(Revoked::NoContent)
    }

    /// Read a calendar feed
    ///
    /// For calendar apps, without a token: the address is the secret. Meetings of the last 30 days and
    /// all to come, at most 1 000, cancelled ones as such; or weekly availability.
    #[oai(path = "/booking/calendar/:file", method = "get", operation_id = "readCalendarFeed")]
    async fn read(
        &self,
        /// What a feed's address ends in: its key, and `.ics`.
        file: Path<String>,
        /// Answer with 304 if the calendar's `ETag` is one of these.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Result<payload::Response<Read>, Problem> {
        let key = file.strip_suffix(SUFFIX).and_then(|key| key.parse().ok());
        let key: FeedKey = key.ok_or(Refusal::FeedNotFound)?;
        let text = self.feeds()?.read(&key).await?;
        let etag = etag(&text);
        let read = if known.names(&etag) {
            Read::NotModified(etag)
        } else {
            Read::Ok(CalendarText(text), etag)
        };
        Ok(payload::Response::new(read).header(header::CACHE_CONTROL, CACHE_CONTROL))
    }
}

impl CalendarApi {
    pub(crate) fn of(api: &Api) -> Self {
        let feeds = api.feeds.clone();
        Self(feeds.map(|feeds| CalendarFeeds::new(api.booking.clone(), feeds)))
    }

    fn feeds(&self) -> Result<&CalendarFeeds, Problem> {
        let nothing = || Problem::new(Code::NotFound, "there is nothing at this address");
        self.0.as_ref().ok_or_else(nothing)
    }

    /// An operation that may or may not be there doubles how many services the compiler makes: these are
    /// always there, and are taken out of the document where there are no feeds.
    pub(crate) fn describe(&self, document: &mut Value) {
        if self.0.is_some() {
            return;
        }
        if let Some(paths) = document["paths"].as_object_mut() {
            paths.retain(|path, _| !path.starts_with("/booking/calendar/"));
        }
        if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
            schemas.retain(|name, _| !name.contains("Feed"));
        }
        if let Some(tags) = document["tags"].as_array_mut() {
            tags.retain(|tag| tag["name"] != "Calendars");
        }
    }
}

impl Api {
    /// Adds calendar feeds: what clients and therapists subscribe to from their calendar apps.
    #[must_use]
    pub fn with_calendar_feeds(mut self, feeds: Arc<dyn Feeds>) -> Self {
        self.feeds = Some(feeds);
        self
    }
}

/// iCalendar.
struct CalendarText(String);

impl Payload for CalendarText {
    const CONTENT_TYPE: &'static str = "text/calendar; charset=utf-8";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for CalendarText {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use booking_core::{Booking, MemoryStore, RandomIds, SystemClock};

    use super::*;
    use crate::{AuthError, Session, Verifier};

    struct Nobody;

    #[async_trait]
    impl Verifier for Nobody {
        async fn verify(&self, _: &str) -> Result<Session, AuthError> {
            Err(AuthError::Rejected("nobody".to_owned()))
        }
    }

    #[test]
    fn without_feeds_there_is_nothing_of_them_in_the_document() {
        let store = Arc::new(MemoryStore::default());
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
        let booking = Booking::new(store.clone(), store.clone(), clock, ids);
        let api = Api::new(booking, Arc::new(Nobody));
        let without = api.openapi_json();
        for word in ["Feed", "Calendars", "/booking/calendar"] {
            assert!(!without.contains(word), "{word}");
        }
        assert!(api.with_calendar_feeds(store).openapi_json().contains("/booking/calendar/{file}"));
    }
}
