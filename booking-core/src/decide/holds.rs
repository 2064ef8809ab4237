//! Keeping a start for somebody, and giving it up.

use chrono_tz::Tz;

use crate::audited::Audited;
use crate::calendars::Calendars;
use crate::decide::book::{Session, admit};
use crate::decide::{Decided, Decision, Fresh};
use crate::hold::{Hold, HoldRequest};
use crate::id::{HoldId, UserId};
use crate::refusal::Refusal;
use crate::store::{Change, Decline, Scope};

/// All holds that somebody has placed.
pub(crate) fn scope_of_holds(holder: &UserId) -> Scope {
    Scope { placed_by: Some(holder.clone()), ..Scope::default() }
}

/// Under the lock of the calendar whose time is kept.
pub(crate) fn scope_of_release(hold: &Hold) -> Scope {
    let people = [hold.holder.clone(), hold.therapist.clone()].into();
    Scope { people, ..scope_of_holds(&hold.holder) }
}

/// What was held with the same therapist before is given up, whenever it was.
pub(crate) fn place_hold(
    calendars: &Calendars,
    session: &Session<'_>,
    request: &HoldRequest,
    zone: Tz,
    fresh: &Fresh,
) -> Decision<Hold> {
    admit(calendars, session, zone, None, fresh)?;
    let settings = &calendars.settings_of(session.therapist)?.settings;
    let hold = Hold {
        id: HoldId::from_uuid(fresh.id),
        holder: session.asked_by.clone(),
        therapist: session.therapist.clone(),
        start: session.start,
        duration: session.duration,
        buffers: settings.buffers,
        created_at: fresh.now,
        expires_at: request.expires_at(fresh.now, settings.minimum_notice),
    };
    let writes = match own(calendars, session, fresh) {
        Some(before) => vec![
            Audited::release_hold(fresh.by.clone(), before),
            Audited::put_hold(fresh.by_too.clone(), hold.clone()),
        ],
        None => vec![Audited::put_hold(fresh.by.clone(), hold.clone())],
    };
    Ok(Decided { answer: hold, change: Change { writes, ..Change::default() } })
}

/// Others' holds, and those that have expired, are not there.
pub(crate) fn release_hold(
    calendars: &Calendars,
    holder: &UserId,
    id: HoldId,
    fresh: &Fresh,
) -> Decision<()> {
    let is_meant = |hold: &&Hold| hold.id == id && hold.holder == *holder;
    let found = calendars.placed.iter().find(is_meant).filter(|hold| hold.is_live(fresh.now));
    let hold = found.ok_or(Refusal::HoldNotFound)?;
    if !calendars.scope.people.contains(&hold.therapist) {
        return Err(Decline::ScopeTooNarrow);
    }
    let writes = vec![Audited::release_hold(fresh.by.clone(), hold)];
    Ok(Decided { answer: (), change: Change { writes, ..Change::default() } })
}

/// The hold of whoever asks for a session is used up when it takes place in the time that was held.
pub(super) fn used(calendars: &Calendars, session: &Session<'_>, fresh: &Fresh) -> Option<Audited> {
    let taken = session.span()?;
    let hold = own(calendars, session, fresh)?;
    let is_used = hold.span().is_some_and(|held| held.overlaps(taken));
    is_used.then(|| Audited::use_hold(fresh.by_too.clone(), hold))
}

/// The live hold of whoever asks, with the therapist whom they ask for.
fn own<'a>(calendars: &'a Calendars, session: &Session<'_>, fresh: &Fresh) -> Option<&'a Hold> {
    let is_own =
        |hold: &&Hold| hold.holder == *session.asked_by && hold.therapist == *session.therapist;
    calendars.holds.iter().filter(is_own).find(|hold| hold.is_live(fresh.now))
}
