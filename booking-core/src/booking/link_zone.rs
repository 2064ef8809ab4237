//! What copies of linked calendars go by.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;

use crate::booking::CalendarLinks;
use crate::directory::User;
use crate::id::MeetingId;
use crate::linked_calendar::LinkedCalendar;
use crate::span::Span;
use crate::store::{MeetingQuery, MeetingTexts, Place, Scope, StoreError};

/// How many meetings are looked up with one question.
const AT_A_TIME: u32 = 1_000;

impl CalendarLinks {
    /// In which a calendar's dates and times without a zone are meant.
    pub(crate) async fn zone_of(&self, link: &LinkedCalendar) -> Result<Tz, StoreError> {
        if let Some(zone) = link.zone {
            return Ok(zone);
        }
        let one = || [link.therapist.clone()].into();
        let scope = Scope { settings_of: one(), users: one(), ..Scope::default() };
        let seen = self.booking.look(&scope).await?;
        let set = seen.settings.get(&link.therapist).and_then(|set| set.settings.zone);
        let of_user = || seen.users.get(&link.therapist).map(User::zone);
        Ok(set.or_else(of_user).unwrap_or(Tz::UTC))
    }

    /// The meetings that the link's therapist gives, whatever became of them, and that begin within a
    /// window, give or take a day.
    pub(crate) async fn meetings_about(
        &self,
        link: &LinkedCalendar,
        window: Span,
    ) -> Result<BTreeSet<MeetingId>, StoreError> {
        let mut query = MeetingQuery {
            person: link.therapist.clone(),
            statuses: BTreeSet::new(),
            from: window.start().checked_sub_days(Days::new(1)),
            to: window.end().checked_add_days(Days::new(1)),
            after: None,
            limit: AT_A_TIME,
            texts: MeetingTexts::LeftOut,
        };
        let mut found = BTreeSet::new();
        loop {
            let page = self.booking.store.meetings(&query).await?;
            let given = page.iter().filter(|meeting| meeting.therapist == link.therapist);
            found.extend(given.map(|meeting| meeting.id));
            match page.last().filter(|_| query.is_full(&page)) {
                Some(last) => query.after = Some(Place { start: last.start, id: last.id }),
                None => return Ok(found),
            }
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.booking.now()
    }
}
