//! Changing a therapist's scheduling settings.

use crate::audited::Audited;
use crate::calendars::Calendars;
use crate::decide::{Decided, Decision, ExpectedVersion, Fresh};
use crate::id::UserId;
use crate::settings::{Settings, TherapistSettings};
use crate::store::{Change, Scope};

pub(crate) fn scope_of_settings(therapist: &UserId) -> Scope {
    let one = [therapist.clone()];
    Scope { people: one.clone().into(), settings_of: one.into(), ..Scope::default() }
}

pub(crate) fn put_settings(
    calendars: &Calendars,
    therapist: &UserId,
    settings: &Settings,
    expected: &ExpectedVersion,
    fresh: &Fresh,
) -> Decision<TherapistSettings> {
    let before = calendars.settings_of(therapist)?.into_owned();
    expected.check(before.version)?;
    if before.settings == *settings {
        return Ok(Decided::nothing_to_do(before));
    }
    let after = before.replaced(settings.clone(), fresh.now);
    let writes = vec![Audited::put_settings(fresh.by.clone(), &before, after.clone())];
    Ok(Decided { answer: after, change: Change { writes, ..Change::default() } })
}
