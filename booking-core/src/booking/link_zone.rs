//! What copies of linked calendars go by.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::booking::{BookingError, CalendarLinks};
use crate::directory::User;
use crate::linked_calendar::LinkedCalendar;
use crate::store::Scope;

impl CalendarLinks {
    /// In which a calendar's dates and times without a zone are meant.
    pub(crate) async fn zone_of(&self, link: &LinkedCalendar) -> Result<Tz, BookingError> {
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

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.booking.now()
    }
}
