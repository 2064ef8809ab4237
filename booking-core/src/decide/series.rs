//! Booking sessions that recur, and cancelling what is still to come of them.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::access::Actor;
use crate::audited::Audited;
use crate::calendars::{Busy, Calendars};
use crate::decide::book::{Session, admit, check_first_status};
use crate::decide::update::{Late, check_deadline, commit};
use crate::decide::{
    Answered, Decided, Decision, ExpectedVersion, Fresh, Intent, NewMeeting, Target, holds,
};
use crate::event::{Event, EventPayload};
use crate::id::{MeetingId, SeriesId, UserId};
use crate::idempotency::Answer;
use crate::instant::StartTime;
use crate::look::Look;
use crate::meeting::{Meeting, MeetingStatus, Party};
use crate::overrides::Overrides;
use crate::recurrence::{Occurrences, Recurrence};
use crate::refusal::Refusal;
use crate::series::{BookedSeries, LeftOut, Series, SeriesMeetings, SeriesMode, SeriesView};
use crate::settings::TherapistSettings;
use crate::store::{Change, Decline, Earlier, Scope};
use crate::text::Reason;

/// Sessions that are to be booked. Client and therapist are known to be related.
#[derive(Debug)]
pub(crate) struct NewSeries<'a> {
    /// The first session of the rule.
    pub(crate) first: NewMeeting,
    pub(crate) rule: &'a Recurrence,
    pub(crate) except: &'a BTreeSet<NaiveDate>,
    pub(crate) occurrences: Occurrences,
    pub(crate) mode: SeriesMode,
    /// What the therapist had set when the dates were worked out.
    pub(crate) terms: TherapistSettings,
    /// The therapist's in the directory, which counts where they have set none.
    pub(crate) home: Tz,
    /// For the series itself; what is decided is decided now.
    pub(crate) fresh: Fresh,
    /// For each of the sessions.
    pub(crate) each: Vec<Fresh>,
}

/// Which series, and who wants to cancel it from which meeting on; from now on, if none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeriesTarget<'a> {
    pub(crate) id: SeriesId,
    pub(crate) actor: &'a Actor,
    pub(crate) from: Option<MeetingId>,
}

/// All that one booking needs to see, for each of the sessions. Whether the two have met is asked for
/// the one that begins at `first`: the first that is booked.
pub(crate) fn scope_of_series(
    new: &NewSeries<'_>,
    first: DateTime<Utc>,
    intent: Option<&Intent>,
) -> Scope {
    let NewMeeting { client, therapist, duration, .. } = &new.first;
    let spans = || {
        let starts = new.occurrences.starts.iter();
        starts.filter_map(|start| duration.span_from(start.instant()))
    };
    let (busy_within, counted_within) = Look::around(&new.terms, new.zone(), spans());
    let ends = spans().next().zip(spans().next_back());
    let dates = |(first, last)| (Overrides::dates_around(first).0, Overrides::dates_around(last).1);
    Scope {
        people: [client.clone(), therapist.clone()].into(),
        busy_within,
        counted_within,
        hours_of: Some(therapist.clone()),
        overrides_on: ends.map(dates),
        settings_of: [therapist.clone()].into(),
        earlier: Some(Earlier {
            client: client.clone(),
            therapist: therapist.clone(),
            before: first,
        }),
        record: intent.map(Intent::record_key),
        // Who the two are is known already.
        ..Scope::default()
    }
}

/// What becomes of each session, in their order: a meeting, or the reason for none. Each is judged as
/// it would be by itself, once those before it are booked.
pub(crate) fn admit_all(
    calendars: &Calendars,
    new: &NewSeries<'_>,
) -> Result<Vec<Result<Meeting, Refusal>>, Decline> {
    check_first_status(&new.first)?;
    let settings = calendars.settings_of(&new.first.therapist)?.settings.clone();
    if settings.zone != new.terms.settings.zone {
        // The dates of the rule are others by now.
        return Err(Decline::ScopeTooNarrow);
    }
    let mut calendars = calendars.clone();
    let mut admitted = Vec::with_capacity(new.each.len());
    for (start, fresh) in new.occurrences.starts.iter().zip(&new.each) {
        let meeting = new.session(*start).meeting(&settings, fresh);
        let session = Session::of(&meeting, new.first.asked_by());
        match admit(&calendars, &session, new.home, None, fresh) {
            Ok(()) => {
                calendars.busy.extend(busy_with(&meeting));
                admitted.push(Ok(meeting));
            }
            Err(Decline::Refused(refusal)) => admitted.push(Err(refusal)),
            Err(Decline::ScopeTooNarrow) => return Err(Decline::ScopeTooNarrow),
        }
    }
    Ok(admitted)
}

pub(crate) fn book_series(
    calendars: &Calendars,
    new: &NewSeries<'_>,
    intent: Option<&Intent>,
) -> Decision<Answered<BookedSeries>> {
    let now = new.fresh.now;
    if let Some(intent) = intent
        && let Some(booked) = intent.replay(calendars, now, Answer::into_series)?
    {
        return Ok(Decided::nothing_to_do(Answered { value: booked, replayed: true }));
    }
    let (meetings, left_out) = new.sort_out(admit_all(calendars, new)?);
    let Some(first) = meetings.first().filter(|_| new.tolerates(&left_out)) else {
        return Err(Refusal::SeriesRefused(left_out).into());
    };

    // Before all others of the series there is the first.
    let mut is_initial = calendars.is_initial(first)?;
    let (mut writes, mut events) = (Vec::new(), Vec::new());
    let used = meetings.iter().find_map(|meeting| {
        holds::used(calendars, &Session::of(meeting, new.first.asked_by()), &new.fresh)
    });
    let series = new.series(&meetings);
    let view = SeriesView { meetings: meetings.iter().map(Into::into).collect(), series };
    for meeting in meetings {
        let payload = EventPayload::booked(&meeting, std::mem::take(&mut is_initial));
        let fresh = new.each.iter().find(|fresh| fresh.id == meeting.id.uuid());
        let fresh = fresh.unwrap_or(&new.fresh);
        events.push(Event { id: fresh.events[0], occurred_at: now, payload });
        writes.push(Audited::insert_meeting(fresh.by.clone(), meeting));
    }
    writes.push(Audited::insert_series(new.fresh.by.clone(), view.series.clone()));
    writes.extend(used);
    let booked = BookedSeries { view, left_out, skipped: new.occurrences.skipped.clone() };
    let record = intent.map(|i| i.record(Answer::Series(Box::new(booked.clone())), now));
    Ok(Decided {
        change: Change { writes, events, record },
        answer: Answered { value: booked, replayed: false },
    })
}

/// Judged by the series as it was a moment ago.
pub(crate) fn scope_of_cancel_series(found: &SeriesMeetings) -> Scope {
    let people = found.meetings.iter().flat_map(|meeting| [&meeting.client, &meeting.therapist]);
    let people: BTreeSet<UserId> = people.cloned().collect();
    let therapists = found.meetings.iter().map(|meeting| meeting.therapist.clone());
    let settings_of = therapists.collect();
    Scope { people, settings_of, series: Some(found.series.id), ..Scope::default() }
}

/// Cancels what is still to come: what has begun, or is closed, stays as it is; what clients are too late
/// for keeps them from cancelling anything. `each` has something fresh for every meeting of the series.
pub(crate) fn cancel_series(
    calendars: &Calendars,
    target: SeriesTarget<'_>,
    reason: Option<&Reason>,
    each: &[Fresh],
) -> Decision<SeriesView> {
    let (actor, series) = (target.actor, calendars.series.as_ref());
    let mut found =
        series.filter(|found| found.series.id == target.id).ok_or(Refusal::SeriesNotFound)?.clone();
    actor.party_to_series(&found.series)?;
    let from = target.from.map(|id| found.start_of(id, actor)).transpose()?;
    let mut change = Change::default();
    for (meeting, fresh) in found.meetings.iter_mut().zip(each) {
        let is_to_come = meeting.status.is_live()
            && meeting.start > fresh.now
            && from.is_none_or(|from| meeting.start >= from);
        let Some(party) = actor.party_to(meeting).ok().filter(|_| is_to_come) else { continue };
        let people = [&meeting.client, &meeting.therapist];
        if !people.iter().all(|person| calendars.scope.people.contains(*person)) {
            return Err(Decline::ScopeTooNarrow);
        }
        let cancelled = cancel_one(calendars, meeting, actor, party, reason, fresh)?;
        change.writes.extend(cancelled.change.writes);
        change.events.extend(cancelled.change.events);
        *meeting = cancelled.answer;
    }
    Ok(Decided { answer: actor.view_series(found)?, change })
}

fn cancel_one(
    calendars: &Calendars,
    meeting: &Meeting,
    actor: &Actor,
    party: Party,
    reason: Option<&Reason>,
    fresh: &Fresh,
) -> Decision<Meeting> {
    check_deadline(calendars, meeting, party, &Late::ToCancel, fresh)?;
    let target = Target { id: meeting.id, actor, expected: &ExpectedVersion::Any };
    let after = Meeting { status: MeetingStatus::Cancelled, ..meeting.clone() };
    commit(calendars, meeting, after, &target, party, reason, fresh)
}

fn busy_with(meeting: &Meeting) -> Option<Busy> {
    Some(Busy {
        meeting: meeting.id,
        client: meeting.client.clone(),
        therapist: meeting.therapist.clone(),
        span: meeting.span()?,
        buffers: meeting.buffers,
    })
}

impl SeriesMeetings {
    /// When one of the actor's meetings begins.
    fn start_of(&self, id: MeetingId, actor: &Actor) -> Result<DateTime<Utc>, Refusal> {
        const DETAIL: &str = "must be a meeting of this series";
        let own = self.meetings.iter().filter(|meeting| actor.party_to(meeting).is_ok());
        let meeting = own.into_iter().find(|meeting| meeting.id == id);
        let told = Refusal::Invalid { field: "from", detail: DETAIL };
        meeting.map(|meeting| meeting.start).ok_or(told)
    }
}

impl NewSeries<'_> {
    /// In which the rule is meant: the therapist's.
    pub(crate) fn zone(&self) -> Tz {
        self.terms.settings.zone.unwrap_or(self.home)
    }

    fn session(&self, start: StartTime) -> NewMeeting {
        NewMeeting { start, ..self.first.clone() }
    }

    /// What is booked, and what is not.
    fn sort_out(&self, admitted: Vec<Result<Meeting, Refusal>>) -> (Vec<Meeting>, Vec<LeftOut>) {
        let (mut meetings, mut left_out) = (Vec::new(), Vec::new());
        for (index, (outcome, start)) in
            admitted.into_iter().zip(&self.occurrences.starts).enumerate()
        {
            match outcome {
                Ok(meeting) => meetings.push(meeting),
                Err(refusal) => left_out.push(LeftOut { index, start: start.instant(), refusal }),
            }
        }
        (meetings, left_out)
    }

    fn tolerates(&self, left_out: &[LeftOut]) -> bool {
        match self.mode {
            SeriesMode::All => left_out.is_empty(),
            SeriesMode::Free => true,
        }
    }

    fn series(&self, meetings: &[Meeting]) -> Series {
        Series {
            id: SeriesId::from_uuid(self.fresh.id),
            client: self.first.client.clone(),
            therapist: self.first.therapist.clone(),
            rule: self.rule.clone(),
            except: self.except.clone(),
            start: self.first.start.instant(),
            duration: self.first.duration,
            zone: self.zone(),
            created_at: self.fresh.now,
            meetings: meetings.iter().map(|meeting| meeting.id).collect(),
        }
    }
}
