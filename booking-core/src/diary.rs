//! What lists of slots are made of, as a store finds it: of any number of therapists in one question.
//!
//! What a listing reads is said here and nowhere else: a [`Diary`] holds it, [`DiariesDraft`] takes it
//! in, and a store has one place that does so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc, Weekday};
use chrono_tz::Tz;

use crate::access::Role;
use crate::availability::{WeeklyHours, Window};
use crate::calendar::Calendar;
use crate::directory::User;
use crate::hold::Hold;
use crate::id::UserId;
use crate::kept::DiaryCalendar;
use crate::look::kept_free;
use crate::overrides::{Dates, DayWindows, Overrides};
use crate::settings::{Buffers, Settings, TherapistSettings};
use crate::span::{Span, SpanSet};
use crate::terms::Terms;

/// Whose slots are to be listed, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiariesQuery {
    /// With whom; at most [`MAX_THERAPISTS`](Self::MAX_THERAPISTS).
    pub therapists: BTreeSet<UserId>,
    /// Whose own meetings are in the way too.
    pub client: Option<UserId>,
    /// What keeps them busy is found as far as it overlaps this span, and overrides as far as they bear
    /// on it; nothing without one.
    pub within: Option<Span>,
    /// The therapists' completed and missed meetings that began in this span are found too: those that
    /// count for limits and are not live.
    pub counted_within: Option<Span>,
}

impl DiariesQuery {
    /// How many therapists one question is about at most.
    pub const MAX_THERAPISTS: usize = 50;

    /// The therapists, and the client.
    #[must_use]
    pub fn people(&self) -> BTreeSet<&UserId> {
        self.therapists.iter().chain(&self.client).collect()
    }

    /// From which date to which overrides are found, both included, by whatever calendar.
    #[must_use]
    pub fn dates(&self) -> Option<(NaiveDate, NaiveDate)> {
        self.within.map(Overrides::dates_around)
    }
}

/// What was found, as of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diaries {
    /// Of everybody in [`DiariesQuery::therapists`], also of those who are none.
    pub therapists: BTreeMap<UserId, Diary>,
    /// When [`DiariesQuery::client`] is busy, in either role.
    pub client: Option<SpanSet>,
    /// How often the calendars of all of them have changed, where the store counts: as
    /// [`Calendars::revisions`](crate::Calendars::revisions).
    pub revisions: BTreeMap<UserId, u64>,
}

/// What a therapist's slots are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diary {
    /// Whose it is; `None` when there is no such user, or when the store keeps no
    /// [directory](crate::Store::directory).
    pub owner: Option<DiaryOwner>,
    /// When they receive clients.
    pub hours: WeeklyHours,
    /// What counts instead on some dates.
    pub overrides: Overrides,
    /// What they have set, if they have set anything.
    pub settings: Option<TherapistSettings>,
    /// The live meetings that keep them busy, in either role, by when they do.
    pub busy: Vec<DiaryMeeting>,
    /// When those of their meetings began that are over and count for limits, in order.
    pub counted: Vec<DateTime<Utc>>,
    /// What is kept of their time, by start; see [`Calendars::holds`](crate::Calendars::holds).
    pub holds: Vec<Hold>,
    /// When calendars that they have linked say that they are busy.
    pub external: SpanSet,
}

/// A live meeting, as far as lists of slots go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiaryMeeting {
    /// When it keeps its two people busy.
    pub span: Span,
    /// What is kept free around it, where it is for the diary's owner as its therapist to do so.
    pub buffers: Option<Buffers>,
}

/// What is to be known of a user whose slots are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiaryOwner {
    /// Only therapists have slots.
    pub role: Role,
    /// In which their hours are meant.
    pub zone: Tz,
}

impl From<&User> for DiaryOwner {
    fn from(user: &User) -> Self {
        Self { role: user.role, zone: user.zone() }
    }
}

impl Diary {
    /// What a booking has to fit into, as far as the therapist goes, before it is known whose; `None`
    /// when it is not a therapist's.
    #[must_use]
    pub fn into_calendar(self) -> Option<DiaryCalendar> {
        self.owner.filter(|owner| owner.role == Role::Therapist)?;
        let zone = self.zone()?;
        let Self { owner: _, hours, overrides, settings, busy, counted, holds, external } = self;
        let settings = settings.map_or(Settings::DEFAULT, |set| set.settings);
        let taken = busy.iter().map(|DiaryMeeting { span, buffers }| {
            buffers.map_or(*span, |kept| kept_free(*span, kept, settings.buffers))
        });
        let linked = external.iter().map(|span| kept_free(span, Buffers::NONE, settings.buffers));
        let taken = taken.chain(linked).collect();
        let own = || busy.iter().filter(|meeting| meeting.buffers.is_some());
        let starts = || own().map(|meeting| meeting.span.start()).chain(counted.iter().copied());
        let terms = Terms::counting(&settings, zone, starts());
        let calendar = Calendar { zone, hours, overrides, taken, terms };
        Some(DiaryCalendar::new(calendar, holds, &settings, starts()))
    }

    /// In which the hours are meant.
    pub(crate) fn zone(&self) -> Option<Tz> {
        let set = self.settings.as_ref().and_then(|set| set.settings.zone);
        set.or(self.owner.map(|owner| owner.zone))
    }
}

/// Diaries that a store is putting together, from what it finds in whatever order.
///
/// ```
/// use booking_core::{DiariesDraft, DiariesQuery, Span, UserId};
/// # fn at(text: &str) -> chrono::DateTime<chrono::Utc> { text.parse().unwrap() }
///
/// let jane = UserId::new("therapist_456")?;
/// let hour = Span::new(at("2024-01-15T09:00:00Z"), at("2024-01-15T10:00:00Z")).unwrap();
/// let query = DiariesQuery {
///     therapists: [jane.clone()].into(),
///     within: Some(hour),
///     ..DiariesQuery::default()
/// };
/// let mut draft = DiariesDraft::new(&query);
/// draft.busy(&jane, hour, None);
/// assert_eq!(draft.finish().therapists[&jane].busy[0].span, hour);
/// # Ok::<(), booking_core::InvalidId>(())
/// ```
#[derive(Debug)]
pub struct DiariesDraft<'a> {
    query: &'a DiariesQuery,
    therapists: BTreeMap<&'a UserId, Found>,
    client: Vec<Span>,
    revisions: BTreeMap<UserId, u64>,
}

#[derive(Debug, Default)]
struct Found {
    owner: Option<DiaryOwner>,
    windows: Vec<(Weekday, Window)>,
    overrides: Vec<(Dates, DayWindows)>,
    settings: Option<TherapistSettings>,
    busy: Vec<DiaryMeeting>,
    counted: Vec<DateTime<Utc>>,
    holds: Vec<Hold>,
    external: Vec<Span>,
}

impl<'a> DiariesDraft<'a> {
    /// Nothing is known of anybody yet.
    #[must_use]
    pub fn new(query: &'a DiariesQuery) -> Self {
        let therapists = query.therapists.iter().map(|id| (id, Found::default())).collect();
        Self { query, therapists, client: Vec::new(), revisions: BTreeMap::new() }
    }

    /// The directory knows this user.
    pub fn user(&mut self, id: &UserId, owner: DiaryOwner) {
        if let Some(notes) = self.therapists.get_mut(id) {
            notes.owner = Some(owner);
        }
    }

    /// One of their weekly windows, which is switched on.
    pub fn open(&mut self, therapist: &UserId, weekday: Weekday, window: Window) {
        if let Some(notes) = self.therapists.get_mut(therapist) {
            notes.windows.push((weekday, window));
        }
    }

    /// What counts on these of their dates instead of weekly windows.
    pub fn overridden(&mut self, therapist: &UserId, dates: Dates, windows: DayWindows) {
        if let Some(notes) = self.therapists.get_mut(therapist) {
            notes.overrides.push((dates, windows));
        }
    }

    /// What a therapist has set.
    pub fn settings(&mut self, settings: TherapistSettings) {
        if let Some(notes) = self.therapists.get_mut(&settings.therapist) {
            notes.settings = Some(settings);
        }
    }

    /// A live meeting keeps this person busy, and, with buffers, as its therapist. What lies outside
    /// the span that was asked for is left out.
    pub fn busy(&mut self, person: &UserId, span: Span, buffers: Option<Buffers>) {
        if self.query.within.is_none_or(|within| !within.overlaps(span)) {
            return;
        }
        if let Some(notes) = self.therapists.get_mut(person) {
            notes.busy.push(DiaryMeeting { span, buffers });
        }
        if self.query.client.as_ref() == Some(person) {
            self.client.push(span);
        }
    }

    /// One of their meetings that is over, and counts for limits.
    pub fn counted(&mut self, therapist: &UserId, start: DateTime<Utc>) {
        if let Some(notes) = self.therapists.get_mut(therapist) {
            notes.counted.push(start);
        }
    }

    /// What is kept of a therapist's time.
    pub fn hold(&mut self, hold: Hold) {
        if let Some(notes) = self.therapists.get_mut(&hold.therapist) {
            notes.holds.push(hold);
        }
    }

    /// A calendar that this therapist has linked says that they are busy. What lies outside the span that
    /// was asked for is left out.
    pub fn external(&mut self, therapist: &UserId, span: Span) {
        if self.query.within.is_some_and(|within| within.overlaps(span))
            && let Some(notes) = self.therapists.get_mut(therapist)
        {
            notes.external.push(span);
        }
    }

    /// How often this person's calendar has changed.
    pub fn revision(&mut self, person: UserId, number: u64) {
        self.revisions.insert(person, number);
    }

    /// All that was found.
    #[must_use]
    pub fn finish(self) -> Diaries {
        let Self { query, therapists, client, revisions } = self;
        let diary = |(id, notes): (&UserId, Found)| {
            let Found {
                owner,
                windows,
                overrides,
                settings,
                mut busy,
                mut counted,
                mut holds,
                external,
            } = notes;
            busy.sort_unstable_by_key(|meeting| (meeting.span.start(), meeting.span.end()));
            counted.sort_unstable();
            holds.sort_unstable_by_key(|hold| (hold.start, hold.id));
            let (hours, overrides) =
                (windows.into_iter().collect(), overrides.into_iter().collect());
            let external = external.into_iter().collect();
            let diary = Diary { owner, hours, overrides, settings, busy, counted, holds, external };
            (id.clone(), diary)
        };
        Diaries {
            therapists: therapists.into_iter().map(diary).collect(),
            client: query.client.as_ref().map(|_| client.into_iter().collect()),
            revisions,
        }
    }
}
