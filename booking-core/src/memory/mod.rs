//! The reference store: everything in memory, behind one mutex.
//!
//! For tests, examples and services that can afford to forget. It keeps the store's promises in
//! the plainest way there is, so that the other stores can be read against it.

mod audit;
mod events;
mod feeds;
mod holds;
mod links;
mod people;
mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use self::audit::Entries;
use self::events::Events;
use self::feeds::FeedTable;
use self::holds::HoldTable;
use self::links::LinkTable;
use self::people::People;
use self::rows::Rows;
use crate::audit::AuditEntry;
use crate::availability::AvailabilitySlot;
use crate::calendars::{Busy, Calendars, CountedMeeting};
use crate::diary::{Diaries, DiariesDraft, DiariesQuery, DiaryOwner};
use crate::directory::DirectoryId;
use crate::duration::SessionDuration;
use crate::id::{MeetingId, SeriesId, UserId};
use crate::idempotency::{IdempotencyKey, Record};
use crate::meeting::{Meeting, MeetingStatus};
use crate::overrides::AvailabilityOverride;
use crate::series::{Series, SeriesMeetings};
use crate::settings::TherapistSettings;
use crate::signal::Signals;
use crate::span::{Span, SpanSet};
use crate::store::{
    Change, ChangeError, Decide, Earlier, MeetingQuery, MeetingTexts, Place, Scope, Store,
    StoreError, Write,
};

/// A store, a directory, an outbox, its deliveries, calendar feeds, linked calendars and the audit log in
/// memory.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    directory: DirectoryId,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { state: Mutex::default(), directory: DirectoryId::unique() }
    }
}

#[derive(Debug, Default)]
struct State {
    meetings: HashMap<MeetingId, Meeting>,
    /// Every meeting of a person, in either role, in the order of listing.
    diaries: HashMap<UserId, BTreeSet<(DateTime<Utc>, MeetingId)>>,
    series: HashMap<SeriesId, Series>,
    availability: Rows<AvailabilitySlot>,
    settings: BTreeMap<UserId, TherapistSettings>,
    overrides: Rows<AvailabilityOverride>,
    holds: HoldTable,
    /// The last change of each calendar, and of whose it is, by number; none for those that never did.
    revisions: HashMap<UserId, u64>,
    /// The number of the last change.
    changes: u64,
    /// The number for those who have none.
    unchanged: u64,
    records: HashMap<(UserId, IdempotencyKey), Record>,
    events: Events,
    audit: Entries,
    people: People,
    feeds: FeedTable,
    links: LinkTable,
}

impl MemoryStore {
    /// Forgets everything.
    ///
    /// ```
    /// use booking_core::{By, Directory, DirectoryAdmin, MemoryStore, UserId};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # use booking_core::{Clock, Email, Name, RandomIds, Role, SystemClock, SystemName, User};
    /// # let by = By::system(SystemName::of("example"), SystemClock.now(), &RandomIds);
    /// # let user = User {
    /// #     id: UserId::new("client_123")?, role: Role::Client, first_name: Name::new("John")?,
    /// #     last_name: Name::new("Doe")?, email: Email::new("john@example.com")?, zone: None,
    /// # };
    /// let store = MemoryStore::default();
    /// store.put_user(&user, by).await?;
    /// store.clear();
    /// assert_eq!(store.user(&user.id).await?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear(&self) {
        let mut state = self.state();
        let next = state.changes + 1;
        *state = State { changes: next, unchanged: next, ..State::default() };
    }

    /// A panic in a decision leaves the state as it was, since a change is applied only after it
    /// was decided: a poisoned lock is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        Ok(self.state().calendars(scope))
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let mut state = self.state();
        let change = decide(&state.calendars(scope))?;
        state.apply(&change);
        Ok(change)
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let is_current =
            seen.vouch_for(change) && state.revisions(&seen.scope.people) == seen.revisions;
        if is_current {
            state.apply(change);
        }
        Ok(is_current)
    }

    fn directory(&self) -> Option<DirectoryId> {
        Some(self.directory)
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        Ok(self.state().diaries_for(query))
    }

    async fn revisions(
        &self,
        people: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, u64>, StoreError> {
        Ok(self.state().revisions(people))
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        let state = self.state();
        let Some(diary) = state.diaries.get(&query.person) else { return Ok(vec![]) };
        let wanted = |meeting: &&Meeting| {
            let place = Place { start: meeting.start, id: meeting.id };
            (query.statuses.is_empty() || query.statuses.contains(&meeting.status))
                && query.from.is_none_or(|from| meeting.start >= from)
                && query.to.is_none_or(|to| meeting.start < to)
                && query.after.is_none_or(|after| place > after)
        };
        let meetings = diary.iter().filter_map(|(_, id)| state.meetings.get(id));
        let mut page = Vec::new();
        let mut text_bytes = 0;
        for meeting in meetings.filter(wanted).take(query.limit as usize) {
            match query.texts {
                MeetingTexts::Whole if text_bytes >= MeetingQuery::MAX_TEXT_BYTES => break,
                MeetingTexts::Whole => {
                    text_bytes += meeting.text_bytes();
                    page.push(meeting.clone());
                }
                MeetingTexts::LeftOut => {
                    page.push(Meeting {
                        description: None,
                        session_notes: None,
                        ..meeting.clone()
                    });
                }
            }
        }
        Ok(page)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl State {
    fn calendars(&self, scope: &Scope) -> Calendars {
        let of = scope.hours_of.as_ref();
        Calendars {
            busy: self.busy(&scope.people, &scope.busy_within),
            counted: of
                .zip(scope.counted_within)
                .map_or_else(Vec::new, |(of, span)| self.counted(of, span)),
            external: of.map_or_else(Vec::new, |of| self.links.busy(of, &scope.busy_within)),
            settings: self.settings_of(&scope.settings_of),
            hours: of.map_or_else(Vec::new, |of| self.hours(of)),
            overrides: of
                .zip(scope.overrides_on)
                .map_or_else(Vec::new, |(of, on)| self.overrides(of, on)),
            holds: of.map_or_else(Vec::new, |of| self.holds.of(of)),
            placed: scope.placed_by.as_ref().map_or_else(Vec::new, |by| self.holds.placed_by(by)),
            override_with: scope.override_with.and_then(|id| self.overrides.get(id).cloned()),
            meeting: scope.meeting.and_then(|id| self.meetings.get(&id).cloned()),
            series: scope.series.and_then(|id| self.series_with_meetings(id)),
            availability: scope.availability.and_then(|id| self.availability.get(id).cloned()),
            has_earlier: scope.earlier.as_ref().is_some_and(|earlier| self.has_earlier(earlier)),
            record: scope.record.as_ref().and_then(|key| self.records.get(key).cloned()),
            users: self.people.known(&scope.users),
            are_related: scope.related.as_ref().is_some_and(|two| self.people.are_related(two)),
            revisions: self.revisions(&scope.people),
            scope: scope.clone(),
        }
    }

    fn diaries_for(&self, query: &DiariesQuery) -> Diaries {
        let mut draft = DiariesDraft::new(query);
        let people: BTreeSet<UserId> = query.people().into_iter().cloned().collect();
        for (id, user) in self.people.known(&query.therapists) {
            draft.user(&id, DiaryOwner::from(&user));
        }
        for busy in self.busy(&people, &query.within.into()) {
            draft.busy(&busy.client, busy.span, None);
            draft.busy(&busy.therapist, busy.span, Some(busy.buffers));
        }
        for settings in self.settings_of(&query.therapists).into_values() {
            draft.settings(settings);
        }
        for therapist in &query.therapists {
            for slot in self.availability.of(therapist).filter(|slot| slot.is_available) {
                draft.open(therapist, slot.weekday, slot.window);
            }
            for span in self.links.busy(therapist, &query.within.into()) {
                draft.external(therapist, span);
            }
            for one in query.dates().map_or_else(Vec::new, |on| self.overrides(therapist, on)) {
                draft.overridden(therapist, one.dates, one.windows);
            }
            let counted = query.counted_within.map(|span| self.counted(therapist, span));
            for one in counted.into_iter().flatten() {
                draft.counted(therapist, one.start);
            }
            self.holds.of(therapist).into_iter().for_each(|hold| draft.hold(hold));
        }
        for (person, number) in self.revisions(&people) {
            draft.revision(person, number);
        }
        draft.finish()
    }

    fn revisions(&self, people: &BTreeSet<UserId>) -> BTreeMap<UserId, u64> {
        let revision = |person| self.revisions.get(person).copied().unwrap_or(self.unchanged);
        people.iter().map(|person| (person.clone(), revision(person))).collect()
    }

    fn series_with_meetings(&self, id: SeriesId) -> Option<SeriesMeetings> {
        let series = self.series.get(&id)?.clone();
        let meetings = series.meetings.iter().filter_map(|id| self.meetings.get(id).cloned());
        Some(SeriesMeetings { meetings: meetings.collect(), series })
    }

    fn busy(&self, people: &BTreeSet<UserId>, within: &SpanSet) -> Vec<Busy> {
        let found = within.iter().flat_map(|span| self.busy_within(people, span));
        let each_once: BTreeMap<MeetingId, Busy> = found.map(|busy| (busy.meeting, busy)).collect();
        each_once.into_values().collect()
    }

    fn busy_within(&self, people: &BTreeSet<UserId>, within: Span) -> Vec<Busy> {
        let longest = SessionDuration::MAX.to_delta();
        let earliest = within.start().checked_sub_signed(longest);
        let nil = MeetingId::from_uuid(uuid::Uuid::nil());
        let starts = (earliest.unwrap_or(DateTime::<Utc>::MIN_UTC), nil)..(within.end(), nil);
        let diaries = people.iter().filter_map(|person| self.diaries.get(person));
        let near = diaries.flat_map(|diary| diary.range(starts.clone()));
        let ids: BTreeSet<MeetingId> = near.map(|(_, id)| *id).collect();
        let live = ids.iter().filter_map(|id| self.meetings.get(id)).filter(|m| m.status.is_live());
        live.filter_map(|meeting| {
            let span = meeting.span().filter(|span| span.overlaps(within))?;
            Some(Busy {
                meeting: meeting.id,
                client: meeting.client.clone(),
                therapist: meeting.therapist.clone(),
                span,
                buffers: meeting.buffers,
            })
        })
        .collect()
    }

    fn counted(&self, therapist: &UserId, within: Span) -> Vec<CountedMeeting> {
        let nil = MeetingId::from_uuid(uuid::Uuid::nil());
        let starts = (within.start(), nil)..(within.end(), nil);
        let diary = self.diaries.get(therapist).into_iter();
        let ids = diary.flat_map(|diary| diary.range(starts.clone())).map(|(_, id)| id);
        let is_counted = |meeting: &&Meeting| {
            let is_over =
                matches!(meeting.status, MeetingStatus::Completed | MeetingStatus::NoShow);
            is_over && meeting.therapist == *therapist
        };
        let counted = ids.filter_map(|id| self.meetings.get(id)).filter(is_counted);
        counted
            .map(|meeting| CountedMeeting { meeting: meeting.id, start: meeting.start })
            .collect()
    }

    fn overrides(
        &self,
        therapist: &UserId,
        (first, last): (NaiveDate, NaiveDate),
    ) -> Vec<AvailabilityOverride> {
        let is_meant =
            |one: &&AvailabilityOverride| one.dates.first() <= last && first <= one.dates.last();
        let mut found: Vec<_> = self.overrides.of(therapist).filter(is_meant).cloned().collect();
        found.sort_by_key(|one| (one.dates.first(), one.id));
        found
    }

    fn settings_of(&self, therapists: &BTreeSet<UserId>) -> BTreeMap<UserId, TherapistSettings> {
        let known = therapists.iter().filter_map(|therapist| self.settings.get(therapist));
        known.map(|found| (found.therapist.clone(), found.clone())).collect()
    }

    fn hours(&self, therapist: &UserId) -> Vec<AvailabilitySlot> {
        let mut slots: Vec<_> = self.availability.of(therapist).cloned().collect();
        slots.sort_by_key(|slot| (slot.weekday.num_days_from_sunday(), slot.window, slot.id));
        slots
    }

    fn has_earlier(&self, earlier: &Earlier) -> bool {
        let Some(diary) = self.diaries.get(&earlier.client) else { return false };
        diary.iter().take_while(|(start, _)| *start < earlier.before).any(|(_, id)| {
            self.meetings.get(id).is_some_and(|meeting| {
                meeting.client == earlier.client
                    && meeting.therapist == earlier.therapist
                    && meeting.status != MeetingStatus::Cancelled
            })
        })
    }

    fn apply(&mut self, change: &Change) {
        for audited in &change.writes {
            self.audit.append(audited.entry().clone());
            match audited.write() {
                Write::InsertMeeting(meeting) | Write::UpdateMeeting(meeting) => self.put(meeting),
                Write::InsertSeries(series) => {
                    self.series.insert(series.id, series.clone());
                }
                Write::InsertAvailability(slot) | Write::UpdateAvailability(slot) => {
                    self.count(&slot.therapist);
                    if let Some(before) = self.availability.put(slot.clone()) {
                        self.count(&before.therapist);
                    }
                }
                Write::DeleteAvailability(id) => {
                    if let Some(before) = self.availability.delete(*id) {
                        self.count(&before.therapist);
                    }
                }
                Write::PutSettings(settings) => {
                    self.count(&settings.therapist);
                    self.settings.insert(settings.therapist.clone(), settings.clone());
                }
                Write::InsertOverride(one) | Write::UpdateOverride(one) => {
                    self.count(&one.therapist);
                    if let Some(before) = self.overrides.put(one.clone()) {
                        self.count(&before.therapist);
                    }
                }
                Write::DeleteOverride(id) => {
                    if let Some(before) = self.overrides.delete(*id) {
                        self.count(&before.therapist);
                    }
                }
                Write::PutHold(hold) => {
                    self.count(&hold.therapist);
                    self.holds.put(hold);
                }
                Write::DeleteHold(id) => {
                    if let Some(before) = self.holds.delete(*id) {
                        self.count(&before.therapist);
                    }
                }
            }
        }
        self.events.append(&change.events);
        if let Some(record) = &change.record {
            self.records.retain(|_, old| old.expires_at() > record.created_at);
            self.records.insert((record.user.clone(), record.key.clone()), record.clone());
        }
    }

    fn count(&mut self, person: &UserId) {
        self.changes += 1;
        self.revisions.insert(person.clone(), self.changes);
    }

    /// What has changed, if anything has.
    fn note(&mut self, entries: impl IntoIterator<Item = AuditEntry>) {
        for entry in entries {
            self.audit.append(entry);
        }
    }

    fn put(&mut self, meeting: &Meeting) {
        if let Some(before) = self.meetings.insert(meeting.id, meeting.clone()) {
            for person in [&before.client, &before.therapist] {
                self.count(person);
                if let Some(diary) = self.diaries.get_mut(person) {
                    diary.remove(&(before.start, before.id));
                }
            }
        }
        for person in [&meeting.client, &meeting.therapist] {
            self.count(person);
            let diary = self.diaries.entry(person.clone()).or_default();
            diary.insert((meeting.start, meeting.id));
        }
    }
}

/// One process alone has it.
impl Signals for MemoryStore {}
