//! Looking for a time with many therapists at once.

use tokio::task::yield_now;

use crate::access::{Actor, Operation, Role};
use crate::booking::{Booking, BookingError};
use crate::diary::{DiariesQuery, Diary};
use crate::hold::Viewer;
use crate::search::{Found, SlotSearch, SlotsFound};
#[cfg(doc)]
use crate::{refusal::Refusal, store::StoreError};

impl Booking {
    /// The starts that are free now, of up to 50 therapists over up to 62 dates, by the dates of the
    /// viewer's zone: what [`slots`](Self::slots) lists for each therapist and date. They are read in
    /// one question, in another where settings call for a wider look, and never from memory.
    ///
    /// Whether the actor may book with these therapists at all is looked at when they do.
    ///
    /// # Errors
    /// [`Refusal::Invalid`]; [`BookingError::Contended`]; [`StoreError`].
    pub async fn search(
        &self,
        actor: &Actor,
        search: &SlotSearch,
    ) -> Result<SlotsFound, BookingError> {
        actor.may(Operation::ListSlots)?;
        search.check()?;
        let query = DiariesQuery {
            therapists: search.therapists.clone(),
            client: Some(actor.id.clone()).filter(|_| actor.role == Role::Client),
            within: search.reach(),
            counted_within: None,
        };
        let diaries = self.diaries(query).await?;
        let busy = diaries.client.unwrap_or_default();
        let now = self.now();
        let viewer = Viewer { user: &actor.id, now };
        let mut found = Found::new(search);
        let mut unknown = Vec::new();
        for (therapist, diary) in diaries.therapists {
            let Some(calendar) = Diary::into_calendar(diary) else {
                unknown.push(therapist);
                continue;
            };
            found.add(therapist, &calendar.seen_by(viewer).and_busy(&busy), now);
            // Nobody else waits for longer than one therapist takes.
            yield_now().await;
        }
        Ok(found.finish(unknown))
    }
}
