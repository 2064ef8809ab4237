//! Collections into which the meetings of several therapists are written.

use std::sync::Arc;

use async_trait::async_trait;
use booking_api::calendars::{CaughtUp, WriteBackSink};
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, EventSink, Meeting,
    MeetingPatch, MeetingQuery, MeetingTexts, MemoryStore, Scope, Store, StoreError, UserId,
};

use super::practice::{JANE, OTHER, Practice, client};
use super::radicale::Radicale;
use super::{PATIENCE, at, location, patient_client};

/// A practice may keep one collection for all: it is not taken out there because of the one who had it.
#[tokio::test]
async fn a_meeting_stays_in_a_collection_that_both_share() {
    let (server, practice) = (Radicale::start().await, Practice::new().await);
    let bare = location(server.location().url().as_str().trim_end_matches('/'));
    let bare = bare.with_credentials(server.location().credentials().expect("some").clone());
    practice.link(JANE, Some(Ok(server.location())));
    practice.link(OTHER, Some(Ok(bare)));
    let id = practice.book("2024-01-15T14:00:00Z").await;
    let therapist = Some(UserId::new(OTHER).expect("an id"));
    practice.change(client(), id, MeetingPatch { therapist, ..MeetingPatch::default() }).await;
    let log = practice.log().await;
    assert_eq!(log.len(), 3);
    for event in log.iter().rev().chain(&log) {
        practice.sink.deliver(event).await.expect("radicale takes it");
        assert!(server.get(&format!("{id}.ics")).await.is_some());
    }
}

/// Lists what was so before.
struct Listed {
    store: Arc<MemoryStore>,
    before: Vec<Meeting>,
}

#[async_trait]
impl Store for Listed {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.store.read(scope).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        self.store.change(scope, decide).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.store.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        Ok(if query.after.is_none() { self.before.clone() } else { vec![] })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

/// Nor while all of the former's meetings are written anew.
#[tokio::test]
async fn a_meeting_that_moves_meanwhile_stays_in_a_collection_that_both_share() {
    let (server, practice) = (Radicale::start().await, Practice::new().await);
    let id = practice.book("2024-01-15T14:00:00Z").await;
    let jane = UserId::new(JANE).expect("an id");
    let query = MeetingQuery {
        person: jane.clone(),
        statuses: [].into(),
        from: None,
        to: None,
        after: None,
        limit: 10,
        texts: MeetingTexts::LeftOut,
    };
    let before = practice.store.meetings(&query).await.expect("memory");
    let therapist = Some(UserId::new(OTHER).expect("an id"));
    practice.change(client(), id, MeetingPatch { therapist, ..MeetingPatch::default() }).await;
    let listed = Arc::new(Listed { store: practice.store.clone(), before });
    let sink = WriteBackSink::new(patient_client(), listed, practice.linked.clone());
    let name = format!("{id}.ics");
    for (is_shared, is_there) in [(true, true), (false, false)] {
        let elsewhere = location("http://127.0.0.1:9/nobody/");
        practice.unlink_all();
        practice.link(OTHER, Some(Ok(if is_shared { server.location() } else { elsewhere })));
        let from = at("2024-01-01T00:00:00Z");
        let caught_up = sink.catch_up(&server.location(), &jane, from, None, PATIENCE).await;
        assert_eq!(caught_up, CaughtUp { written: 1, left: None });
        assert_eq!(server.get(&name).await.is_some(), is_there);
    }
}
