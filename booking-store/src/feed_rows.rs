//! Calendar feeds, between the domain's values and the plain ones that databases keep: as [`rows`].

use booking_core::{CalendarFeed, FeedDigest, FeedId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::Malformed;
use crate::rows;

/// A feed, as both databases answer.
#[derive(Debug, FromRow)]
pub(crate) struct FeedRow {
    pub(crate) id: Uuid,
    pub(crate) owner_id: String,
    pub(crate) content: String,
    pub(crate) name: Option<String>,
    pub(crate) digest: Vec<u8>,
    pub(crate) created_ms: i64,
}

impl TryFrom<FeedRow> for CalendarFeed {
    type Error = Malformed;

    fn try_from(row: FeedRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: FeedId::from_uuid(row.id),
            owner: rows::user(&row.owner_id)?,
            content: rows::word("content of a feed", &row.content)?,
            name: rows::optional_text(row.name)?,
            created_at: rows::instant(row.created_ms)?,
        })
    }
}

impl TryFrom<FeedRow> for (CalendarFeed, FeedDigest) {
    type Error = Malformed;

    fn try_from(row: FeedRow) -> Result<Self, Malformed> {
        let digest = row.digest.as_slice().try_into().map_err(Malformed::because("digest"))?;
        Ok((row.try_into()?, FeedDigest(digest)))
    }
}
