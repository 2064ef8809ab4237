//! A service in this process, whose meetings are written into calendars outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use booking_api::calendars::{Location, OpenError, Target, Targets, TargetsError, WriteBackSink};
use booking_core::{
    Actor, Announced, BookRequest, Booking, Clock, DirectoryAdmin, Email, EventQuery,
    ExpectedVersion, Hub, IdSource, LinkedCalendarId, ManualClock, Meeting, MeetingId,
    MeetingPatch, MeetingStatus, MemoryStore, NewAvailability, Outbox, Passed, RandomIds, Recorded,
    Relay, Role, SessionDuration, SourceError, StartTime, SubscriberId, Text, User, UserId,
    WEEKDAYS, Window,
};

use super::{at, patient_client};
use crate::by::by;

pub(super) const JANE: &str = "therapist_456";
pub(super) const OTHER: &str = "therapist_457";

pub(super) fn actor(id: &str, role: Role) -> Actor {
    Actor { id: UserId::new(id).expect("an id"), role }
}

pub(super) fn client() -> Actor {
    actor("client_123", Role::Client)
}

/// What can be told of a collection: `None` when not even that there is one.
pub(super) type Told = Option<Result<Location, OpenError>>;

/// Who has which collections, and what was not written into them.
#[derive(Default)]
pub(super) struct Linked {
    linked: Mutex<Vec<(UserId, LinkedCalendarId, Told)>>,
    unwritten: Mutex<Vec<(LinkedCalendarId, SourceError)>>,
    /// Nothing can be noted.
    pub(super) forgets: AtomicBool,
}

#[async_trait]
impl Targets for Linked {
    async fn of(&self, therapist: &UserId) -> Result<Vec<Target>, TargetsError> {
        let linked = self.linked.lock().expect("no panic").clone();
        let theirs = linked.into_iter().filter(|(owner, ..)| owner == therapist);
        let told = theirs.map(|(_, link, told)| Some(Target { link, location: told? }));
        told.collect::<Option<_>>().ok_or_else(|| TargetsError::of("no database"))
    }

    async fn unwritten(
        &self,
        link: LinkedCalendarId,
        why: &SourceError,
    ) -> Result<(), TargetsError> {
        if self.forgets.load(Ordering::Relaxed) {
            return Err(TargetsError::of("no database"));
        }
        self.unwritten.lock().expect("no panic").push((link, why.clone()));
        Ok(())
    }
}

/// A service in this process, with two therapists who are always there.
pub(super) struct Practice {
    pub(super) store: Arc<MemoryStore>,
    pub(super) booking: Booking,
    pub(super) clock: Arc<ManualClock>,
    pub(super) linked: Arc<Linked>,
    pub(super) sink: Arc<WriteBackSink>,
    relay: Relay,
}

impl Practice {
    pub(super) async fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(ManualClock::new(at("2024-01-01T12:00:00Z")));
        let announced = Arc::new(Announced::new(store.clone(), Hub::default()));
        let ids = Arc::new(RandomIds);
        let booking = Booking::new(announced, store.clone(), clock.clone(), ids);
        add(&store, &client()).await;
        for id in [JANE, OTHER] {
            let therapist = actor(id, Role::Therapist);
            add(&store, &therapist).await;
            store.relate(&client().id, &therapist.id, by()).await.expect("memory holds");
            open_always(&booking, &therapist).await;
        }
        let linked = Arc::new(Linked::default());
        let sink = WriteBackSink::new(patient_client(), store.clone(), linked.clone());
        let sink = Arc::new(sink);
        let name = SubscriberId::new("calendars").expect("a name");
        let relay = Relay::new(store.clone(), Hub::default(), clock.clone());
        let relay = relay.with_sink(name, sink.clone()).await.expect("memory holds");
        Self { store, booking, clock, linked, sink, relay }
    }

    pub(super) fn link(&self, therapist: &str, told: Told) -> LinkedCalendarId {
        let therapist = UserId::new(therapist).expect("an id");
        let id = LinkedCalendarId::from_uuid(RandomIds.fresh(self.clock.now()));
        self.linked.linked.lock().expect("no panic").push((therapist, id, told));
        id
    }

    pub(super) fn unlink_all(&self) {
        self.linked.linked.lock().expect("no panic").clear();
    }

    /// What was not written since somebody last asked.
    pub(super) fn unwritten(&self) -> Vec<(LinkedCalendarId, SourceError)> {
        std::mem::take(&mut *self.linked.unwritten.lock().expect("no panic"))
    }

    /// An hour with Jane.
    pub(super) async fn book(&self, start: &str) -> MeetingId {
        let start = StartTime::new(at(start)).expect("a whole minute");
        let title = Some(Text::new("About my divorce").expect("a title"));
        let therapist = UserId::new(JANE).expect("an id");
        let request = BookRequest::new(therapist, start, SessionDuration::Hour);
        let request = BookRequest { title, ..request };
        self.booking.book(&client(), &request, None).await.expect("free").value.meeting.id
    }

    pub(super) async fn change(&self, by: Actor, id: MeetingId, patch: MeetingPatch) {
        let any = ExpectedVersion::Any;
        self.booking.update(&by, id, &patch, &any).await.expect("a change");
    }

    pub(super) async fn move_to(&self, id: MeetingId, start: &str) {
        let start = Some(StartTime::new(at(start)).expect("a whole minute"));
        self.change(client(), id, MeetingPatch { start, ..MeetingPatch::default() }).await;
    }

    pub(super) async fn cancel(&self, id: MeetingId) {
        let status = Some(MeetingStatus::Cancelled);
        self.change(client(), id, MeetingPatch { status, ..MeetingPatch::default() }).await;
    }

    pub(super) async fn meeting(&self, id: MeetingId) -> Meeting {
        self.booking.meeting(&client(), id).await.expect("a meeting").meeting
    }

    /// Delivers all that is due: how many were taken, and how many not.
    pub(super) async fn deliver(&self) -> (usize, usize) {
        let Passed { delivered, failed } = self.relay.pass().await.expect("memory holds");
        (delivered, failed)
    }

    pub(super) async fn log(&self) -> Vec<Recorded> {
        let all = EventQuery { after: 0, person: None, limit: 1_000 };
        self.store.publish(at("2024-01-01T12:00:00Z"), 1_000).await.expect("memory holds");
        self.store.events(&all).await.expect("memory holds")
    }
}

async fn add(store: &MemoryStore, Actor { id, role }: &Actor) {
    let name = Text::new("Smith").expect("a name");
    let email = Email::new("someone@example.com").expect("an address");
    let (id, role) = (id.clone(), *role);
    let user = User { id, role, first_name: name.clone(), last_name: name, email, zone: None };
    store.put_user(&user, by()).await.expect("memory holds");
}

async fn open_always(booking: &Booking, therapist: &Actor) {
    for weekday in WEEKDAYS {
        let (from, to) = ("00:00".parse().expect("a time"), "24:00".parse().expect("a time"));
        let window = Window::new(from, to).expect("a day");
        let new = NewAvailability { weekday, window, notes: None };
        booking.add_availability(therapist, &new, None).await.expect("free hours");
    }
}
