//! Calendar feeds.

use booking_core::{CalendarFeed, FeedContent, FeedName, NewFeed};
use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use crate::body::{plain, request_body};
use crate::wire::Wire;

request_body! {
    /// A new calendar feed.
    CalendarFeedCreateDto {
        /// What it shows; `times` when left out.
        shows: Option<Wire<FeedContent>>,
        /// What it is called, also in calendar apps.
        #[oai(nullable)]
        name: MaybeUndefined<Wire<FeedName>>,
    }
}

/// A calendar feed.
#[derive(Debug, Object)]
#[oai(rename = "CalendarFeed", rename_all = "camelCase")]
pub(crate) struct CalendarFeedDto {
    /// Which one: its address begins with that.
    id: String,
    /// What it shows.
    shows: Wire<FeedContent>,
    /// What it is called, also in calendar apps.
    #[oai(nullable)]
    name: Option<Wire<FeedName>>,
    /// Since when it is there.
    created_at: Wire<DateTime<Utc>>,
}

/// A calendar feed with its address, which is shown here and never again.
#[derive(Debug, Object)]
#[oai(rename = "CalendarFeedWithPath", rename_all = "camelCase")]
pub(crate) struct CalendarFeedWithPathDto {
    #[oai(flatten)]
    pub(crate) feed: CalendarFeedDto,
    /// Where calendar apps read it, on this server. Whoever knows it can: it is as good as a password.
    pub(crate) path: String,
}

impl CalendarFeedCreateDto {
    pub(crate) fn into_feed(self) -> NewFeed {
        let content = plain(self.shows).unwrap_or(FeedContent::Times);
        NewFeed { content, name: plain(self.name.take()) }
    }
}

impl From<CalendarFeed> for CalendarFeedDto {
    fn from(feed: CalendarFeed) -> Self {
        let CalendarFeed { id, owner: _, content, name, created_at } = feed;
        Self {
            id: id.to_string(),
            shows: Wire(content),
            name: name.map(Wire),
            created_at: Wire(created_at),
        }
    }
}
