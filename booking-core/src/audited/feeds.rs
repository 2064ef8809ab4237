//! Entries of calendar feeds.

use super::Fields;
use crate::audit::{AuditAction, AuditEntry, AuditSubject, By, SubjectKind};
use crate::calendar_feed::CalendarFeed;
use crate::id::IdSource;
use crate::text::Text;

impl AuditEntry {
    /// A feed that somebody has from now on.
    #[must_use]
    pub fn of_new_feed(by: By, feed: &CalendarFeed) -> Self {
        of_feed(by, AuditAction::FeedCreated, feed).comparing(None, Some(fields(feed)))
    }

    /// A feed that nobody reads any more.
    #[must_use]
    pub fn of_revoked_feed(by: By, feed: &CalendarFeed) -> Self {
        of_feed(by, AuditAction::FeedRevoked, feed).comparing(Some(fields(feed)), None)
    }

    /// The feeds that go with a user who leaves the directory.
    #[must_use]
    pub fn of_removed_feeds(by: &By, feeds: &[CalendarFeed], ids: &dyn IdSource) -> Vec<Self> {
        feeds.iter().map(|feed| Self::of_revoked_feed(by.another(ids), feed)).collect()
    }
}

fn of_feed(by: By, action: AuditAction, feed: &CalendarFeed) -> AuditEntry {
    let subject = AuditSubject { kind: SubjectKind::Feed, id: feed.id.to_string() };
    AuditEntry::new(by, action, subject, [&feed.owner])
}

fn fields(feed: &CalendarFeed) -> Fields<'_> {
    let CalendarFeed { id: _, owner, content, name, created_at: _ } = feed;
    let mut fields = Fields::default();
    fields.show("ownerId", Some(owner.to_string()));
    fields.show("shows", Some(content.to_string()));
    fields.withhold("name", name.as_ref().map(Text::as_str));
    fields
}
