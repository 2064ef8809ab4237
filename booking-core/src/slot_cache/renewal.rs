//! Asks whether what is remembered still holds: one question for many.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::person::{Belief, Person};
use super::{Page, People};
use crate::id::UserId;
use crate::store::Store;

/// Of how many people a question asks.
const MOST_ASKED: usize = 1_000;
/// How long a listing waits for another's question before it reads the store itself.
const PATIENCE: Duration = Duration::from_millis(100);

/// One asks at a time: whoever comes meanwhile is told by the same answer.
#[derive(Default)]
pub(super) struct Renewal(Mutex<()>);

impl Renewal {
    /// Asks how often the calendars have changed of those on this page, and of those whom others have
    /// asked about lately. Whoever's has not is believed from before the question.
    ///
    /// Where the store fails, nothing is: whoever reads it is told why.
    pub(super) async fn renew(&self, people: &People, page: &Page<'_>, store: &dyn Store) {
        let Ok(_turn) = timeout(PATIENCE, self.0.lock()).await else { return };
        if page.recall().is_none_or(|(_, belief)| belief == Belief::Firm) {
            return;
        }
        let began = Instant::now();
        let asked = people.due(page, began);
        let names: BTreeSet<UserId> = asked.keys().cloned().collect();
        let Ok(revisions) = store.revisions(&names).await else { return };
        for (id, person) in asked {
            person.judge(revisions.get(&id).copied(), began);
        }
    }
}

impl People {
    /// Those on the page, and others for whom it is time.
    fn due(&self, page: &Page<'_>, now: Instant) -> HashMap<UserId, Arc<Person>> {
        let mut due: HashMap<_, _> =
            page.people().map(|(id, person)| (id.clone(), person.clone())).collect();
        // That somebody is met here does not count as being asked about.
        let others = self.0.iter().filter(|(_, person)| person.is_due(now));
        for (id, person) in others.take(MOST_ASKED - due.len()) {
            // Whoever was on the page may have been forgotten since, and be there anew.
            due.entry(id.as_ref().clone()).or_insert(person);
        }
        due
    }
}
