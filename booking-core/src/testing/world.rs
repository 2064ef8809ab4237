//! A store with people in it, the service over it, and what cases do and check time and again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Barrier;

use super::Harness;
use super::fixtures::{
    CLIENTS, THERAPISTS, as_client, audited, by, client, id, now, slot, start, therapist, user,
    window,
};
use crate::{
    Answered, AuditEntry, AuditLog, AuditQuery, AvailabilityId, AvailabilitySlot, BookRequest,
    Booking, BookingError, Calendars, Change, ChangeError, Clock, Diaries, DiariesQuery,
    EventQuery, EventStore, ExpectedVersion, Hold, ManualClock, Meeting, MeetingId, MeetingPatch,
    MeetingQuery, MeetingTexts, MeetingView, RandomIds, Recorded, Refusal, Scope, SessionDuration,
    Store, User, UserId, WEEKDAYS, Write,
};

/// A store with the demo people in its directory, and the service over it. Clones share everything.
#[derive(Clone)]
pub struct World {
    harness: Arc<Harness>,
    /// The service, under a clock that stands at [`now`] until it is set.
    pub booking: Booking,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Everybody in the directory.
    pub people: Vec<UserId>,
}

impl World {
    /// The demo people: every client belongs to every therapist, and each therapist is a client of
    /// the other too. Nobody is available.
    pub async fn new(harness: Harness) -> Self {
        let harness = Arc::new(harness);
        let clock = Arc::new(ManualClock::new(now()));
        let booking = booking(&harness, &clock);
        let mut world = Self { harness, booking, clock, people: vec![] };
        for therapist in THERAPISTS {
            world.put_user(&user(&id(therapist))).await;
        }
        world.relate(&id(THERAPISTS[0]), &id(THERAPISTS[1])).await;
        world.relate(&id(THERAPISTS[1]), &id(THERAPISTS[0])).await;
        for client in CLIENTS {
            world.add_client(&id(client)).await;
        }
        world
    }

    /// Adds somebody to the directory.
    pub async fn put_user(&mut self, user: &User) {
        self.harness.directory.put_user(user, by()).await.expect("the directory takes users");
        self.people.push(user.id.clone());
    }

    /// Adds a client of every demo therapist.
    pub async fn add_client(&mut self, client: &UserId) {
        self.put_user(&user(client)).await;
        for therapist in THERAPISTS {
            self.relate(client, &id(therapist)).await;
        }
    }

    async fn relate(&self, client: &UserId, therapist: &UserId) {
        let related = self.harness.directory.relate(client, therapist, by()).await;
        related.expect("the directory relates users");
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.harness.store.clone()
    }

    /// Its outbox, with deliveries and signals.
    #[must_use]
    pub fn outbox(&self) -> Arc<dyn EventStore> {
        self.harness.outbox.clone()
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> Arc<dyn crate::DirectoryAdmin> {
        self.harness.directory.clone()
    }

    /// Its audit log.
    #[must_use]
    pub fn audit(&self) -> Arc<dyn AuditLog> {
        self.harness.audit.clone()
    }

    /// Its calendar feeds.
    #[must_use]
    pub fn feeds(&self) -> Arc<dyn crate::Feeds> {
        self.harness.feeds.clone()
    }

    /// Its linked calendars.
    #[must_use]
    pub fn links(&self) -> Arc<dyn crate::LinkedCalendars> {
        self.harness.links.clone()
    }

    /// All entries of the audit log, the latest first.
    pub async fn entries(&self) -> Vec<AuditEntry> {
        let latest = AuditQuery::latest(100_000);
        self.harness.audit.entries(&latest).await.expect("the audit log answers")
    }

    /// A second service over the same store: it shares no memory with the first, as if it ran in
    /// another process.
    #[must_use]
    pub fn another_process(&self) -> Booking {
        booking(&self.harness, &self.clock)
    }

    /// Makes a therapist available all week.
    pub async fn open(&self, therapist: &UserId) -> Vec<AvailabilitySlot> {
        let slots: Vec<_> =
            WEEKDAYS.map(|weekday| slot(therapist, weekday, window(0, 1_440))).into();
        self.write(slots.iter().cloned().map(Write::InsertAvailability)).await;
        slots
    }

    /// Applies a change that looks at nothing.
    pub async fn apply(&self, change: Change) {
        let scope = Scope { people: self.people.iter().cloned().collect(), ..Scope::default() };
        let applied = self.change(&scope, &|_| Ok(change.clone())).await;
        applied.expect("the store applies a change");
    }

    /// Writes rows, without events.
    pub async fn write(&self, writes: impl IntoIterator<Item = Write>) {
        let writes = writes.into_iter().map(audited).collect();
        self.apply(Change { writes, ..Change::default() }).await;
    }

    /// Writes meetings, without events.
    pub async fn insert(&self, meetings: &[Meeting]) {
        self.write(meetings.iter().cloned().map(Write::InsertMeeting)).await;
    }

    /// [`Store::change`].
    ///
    /// # Errors
    /// As that.
    pub async fn change(
        &self,
        scope: &Scope,
        decide: crate::Decide<'_>,
    ) -> Result<Change, ChangeError> {
        self.harness.store.change(scope, decide).await
    }

    /// [`Store::apply_if_current`].
    pub async fn apply_if_current(&self, seen: &Calendars, change: &Change) -> bool {
        let applied = self.harness.store.apply_if_current(seen, change).await;
        applied.expect("the store applies a change")
    }

    /// [`Store::read`].
    pub async fn read(&self, scope: &Scope) -> Calendars {
        self.harness.store.read(scope).await.expect("the store reads")
    }

    /// [`Store::diaries`].
    pub async fn diaries(&self, query: &DiariesQuery) -> Diaries {
        self.harness.store.diaries(query).await.expect("the store reads")
    }

    /// The meeting with this id.
    pub async fn meeting(&self, id: MeetingId) -> Option<Meeting> {
        self.read(&Scope { meeting: Some(id), ..Scope::default() }).await.meeting
    }

    /// The availability slot with this id.
    pub async fn slot(&self, id: AvailabilityId) -> Option<AvailabilitySlot> {
        self.read(&Scope { availability: Some(id), ..Scope::default() }).await.availability
    }

    /// All weekly availability of a therapist.
    pub async fn hours(&self, therapist: &UserId) -> Vec<AvailabilitySlot> {
        let hours = therapist.clone();
        self.read(&Scope { hours_of: Some(hours), ..Scope::default() }).await.hours
    }

    /// What is kept of a therapist's time, expired or not, by start.
    pub async fn holds_of(&self, therapist: &UserId) -> Vec<Hold> {
        let hours = therapist.clone();
        let scope = Scope { hours_of: Some(hours), ..Scope::default() };
        let mut holds = self.read(&scope).await.holds;
        holds.sort_by_key(|hold| (hold.start, hold.id));
        holds
    }

    /// [`Store::meetings`].
    pub async fn list(&self, query: &MeetingQuery) -> Vec<Meeting> {
        self.harness.store.meetings(query).await.expect("the store lists")
    }

    /// All meetings of a person.
    pub async fn meetings_of(&self, person: &UserId) -> Vec<Meeting> {
        self.list(&all_of(person)).await
    }

    /// Lets everything that was committed join the log.
    pub async fn publish(&self) {
        while self.publish_some(1_000).await > 0 {}
    }

    /// Lets at most `limit` of what was committed join the log; returns how many did.
    pub async fn publish_some(&self, limit: u32) -> u32 {
        let now = Clock::now(self.clock.as_ref());
        self.harness.outbox.publish(now, limit).await.expect("the outbox publishes")
    }

    /// All events, published.
    pub async fn events(&self) -> Vec<Recorded> {
        self.publish().await;
        let all = EventQuery { after: 0, person: None, limit: 100_000 };
        self.harness.outbox.events(&all).await.expect("the outbox answers")
    }

    /// Books an hour of the demo therapist for the demo client, through the service.
    ///
    /// # Errors
    /// As [`Booking::book`].
    pub async fn book_hour(
        &self,
        start: DateTime<Utc>,
    ) -> Result<Answered<MeetingView>, BookingError> {
        self.book(&client(), &therapist(), start, SessionDuration::Hour).await
    }

    /// Books through the service, as the client.
    ///
    /// # Errors
    /// As [`Booking::book`].
    pub async fn book(
        &self,
        client: &UserId,
        therapist: &UserId,
        from: DateTime<Utc>,
        duration: SessionDuration,
    ) -> Result<Answered<MeetingView>, BookingError> {
        let request = BookRequest::new(therapist.clone(), start(from), duration);
        self.booking.book(&as_client(client), &request, None).await
    }

    /// Moves a meeting through the service, as its client.
    ///
    /// # Errors
    /// As [`Booking::update`].
    pub async fn move_to(
        &self,
        meeting: &Meeting,
        to: DateTime<Utc>,
    ) -> Result<MeetingView, BookingError> {
        let patch = MeetingPatch { start: Some(start(to)), ..MeetingPatch::default() };
        let actor = as_client(&meeting.client);
        self.booking.update(&actor, meeting.id, &patch, &ExpectedVersion::Any).await
    }

    /// All that the store holds on the people of this world, but for idempotency records.
    pub async fn everything(&self) -> Everything {
        let mut all = Everything::default();
        for person in &self.people {
            all.meetings.push(self.meetings_of(person).await);
            all.hours.push(self.hours(person).await);
            all.holds.push(self.holds_of(person).await);
        }
        all.events = self.events().await;
        all.audit = self.entries().await;
        let everybody: BTreeSet<UserId> = self.people.iter().cloned().collect();
        all.users = self.harness.directory.users(&everybody).await.expect("the directory answers");
        all
    }

    /// Checks what holds of every store at every time: nobody is in two live meetings at once.
    ///
    /// # Panics
    /// When somebody is.
    pub async fn assert_no_overlap(&self) {
        for person in &self.people {
            let mut live = self.meetings_of(person).await;
            live.retain(|meeting| meeting.status.is_live());
            for pair in live.windows(2) {
                assert!(pair[0].end() <= pair[1].start, "{person} is in two places: {pair:#?}");
            }
        }
    }
}

fn booking(harness: &Harness, clock: &Arc<ManualClock>) -> Booking {
    let (store, directory) = (harness.store.clone(), harness.directory.clone());
    Booking::new(store, directory, clock.clone(), Arc::new(RandomIds))
}

/// A query for all meetings of a person.
#[must_use]
pub(crate) fn all_of(person: &UserId) -> MeetingQuery {
    MeetingQuery {
        person: person.clone(),
        statuses: BTreeSet::new(),
        from: None,
        to: None,
        after: None,
        limit: 100_000,
        texts: MeetingTexts::Whole,
    }
}

/// What a store holds; two looks at it are equal unless something changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Everything {
    /// Each person's meetings.
    pub meetings: Vec<Vec<Meeting>>,
    /// Each person's availability.
    pub hours: Vec<Vec<AvailabilitySlot>>,
    /// What is kept of each person's time.
    pub holds: Vec<Vec<Hold>>,
    /// All events.
    pub events: Vec<Recorded>,
    /// The directory.
    pub users: HashMap<UserId, User>,
    /// The audit log.
    pub audit: Vec<AuditEntry>,
}

/// How a race ended.
#[derive(Debug)]
pub struct Tally<T> {
    /// What the winners got.
    pub won: Vec<T>,
    /// What the others were told.
    pub refused: Vec<Refusal>,
}

impl<T> FromIterator<Result<T, BookingError>> for Tally<T> {
    fn from_iter<I: IntoIterator<Item = Result<T, BookingError>>>(results: I) -> Self {
        let mut tally = Self { won: vec![], refused: vec![] };
        for result in results {
            match result {
                Ok(value) => tally.won.push(value),
                Err(BookingError::Refused(refusal)) => tally.refused.push(refusal),
                Err(failed) => panic!("neither done nor refused: {failed:?}"),
            }
        }
        tally
    }
}

impl<T> Tally<T> {
    /// The only winner; everybody else was told the same.
    ///
    /// # Panics
    /// When it ended otherwise.
    pub fn one_winner(mut self, others: &Refusal) -> T {
        let won = self.won.len();
        assert_eq!(won, 1, "exactly one wins; the others were told {:?}", self.refused);
        assert!(self.refused.iter().all(|told| told == others), "{:?}", self.refused);
        self.won.remove(0)
    }
}

/// Runs futures on tasks of their own, which all begin at once; the outcomes come in their order.
///
/// # Panics
/// When one of them does.
pub async fn race<F>(runners: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let runners: Vec<F> = runners.into_iter().collect();
    let line = Arc::new(Barrier::new(runners.len()));
    let mut tasks = Vec::with_capacity(runners.len());
    for runner in runners {
        let line = line.clone();
        tasks.push(tokio::spawn(async move {
            line.wait().await;
            runner.await
        }));
    }
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task.await {
            Ok(outcome) => outcomes.push(outcome),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    outcomes
}
