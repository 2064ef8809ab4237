//! What several stores on one database promise, whichever database it is.

use booking_core::testing::fixtures::{client, hour, other_client, therapist};
use booking_core::testing::{Tally, World, race};
use booking_core::{Refusal, SessionDuration};

/// Two clients, through both stores, after times that overlap: nobody is in two places.
pub(crate) async fn never_book_twice(worlds: [World; 2]) {
    worlds[0].open(&therapist()).await;
    let outcomes = race((0..240).map(|n| {
        let world = worlds[n % 2].clone();
        let client = if n % 4 < 2 { client() } else { other_client() };
        let start = hour(i64::try_from(n / 8).unwrap());
        async move { world.book(&client, &therapist(), start, SessionDuration::TwoHours).await }
    }));
    let tally: Tally<_> = outcomes.await.into_iter().collect();
    assert!(tally.refused.iter().all(|told| *told == Refusal::SlotConflict));
    assert!((10..=15).contains(&tally.won.len()), "{} of 15 places", tally.won.len());
    worlds[1].assert_no_overlap().await;
    assert_eq!(worlds[1].events().await.len(), tally.won.len());
}
