//! How SQLite goes about the statements around events: as [`super::plans`].

use super::plans::{new_store, plan};
use super::{deliveries, outbox, subscribers};

/// Neither the log nor the deliveries; subscribers are few, and all of them are meant.
#[tokio::test]
async fn no_statement_scans_what_grows() {
    let (_folder, store) = new_store().await;
    let statements = [
        outbox::IS_BEHIND,
        outbox::NEXT,
        outbox::NOTE,
        outbox::NOTED,
        outbox::EVENTS,
        outbox::EVENTS_OF,
        outbox::LAST,
        outbox::FORGET,
        subscribers::SELECT,
        subscribers::UPDATE,
        subscribers::DELETE_DELIVERIES,
        subscribers::DELETE,
        subscribers::ALL,
        deliveries::DUE,
        deliveries::CLAIM,
        deliveries::SETTLE,
        deliveries::POSTPONE,
        deliveries::LIST,
        deliveries::LIST_IN_STATE,
        deliveries::REPLAY_DEAD,
        deliveries::REPLAY,
        deliveries::BACKLOG,
    ];
    let small = [
        "SCAN subscriber",
        "SCAN sqlite_sequence",
        "SCAN json_each",
        "SCAN new",
        "SCAN settled",
        "SCAN postponed",
        "SCAN CONSTANT ROW",
        // The subquery's, of a page.
        "SCAN (subquery",
    ];
    for statement in statements {
        for step in plan(&store, statement).await {
            let is_small = small.iter().any(|small| step.starts_with(small));
            assert!(is_small || !step.starts_with("SCAN"), "{step} in {statement}");
            assert!(!step.contains("AUTOMATIC"), "{step} in {statement}");
            // All deliveries of somebody, who leaves.
            let is_wide = step.contains("PRIMARY KEY (subscriber_id=?)");
            assert!(!is_wide || statement.contains("DELETE FROM"), "{step} in {statement}");
        }
    }
}

/// What is asked for time and again is found at the end of an index, and not sorted.
#[tokio::test]
async fn hot_statements_go_by_their_indexes() {
    let (_folder, store) = new_store().await;
    let by = |index: &str| format!("INDEX {index} (");
    for (statement, indexes) in [
        (deliveries::DUE, &[by("delivery_due"), by("delivery_of_meeting")][..]),
        (deliveries::SETTLE, &["PRIMARY KEY (subscriber_id=? AND sequence=?)".to_owned()]),
        (deliveries::POSTPONE, &[by("delivery_of_meeting")]),
        (deliveries::LIST_IN_STATE, &[by("delivery_by_state")]),
        (deliveries::REPLAY_DEAD, &[by("delivery_by_state")]),
        (deliveries::BACKLOG, &[by("delivery_by_state")]),
        (outbox::EVENTS_OF, &[by("outbox_by_client"), by("outbox_by_therapist")]),
        (outbox::FORGET, &[by("outbox_by_age"), by("delivery_of_event")]),
    ] {
        let plan = plan(&store, statement).await;
        for index in indexes {
            assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:#?}");
        }
        let is_sorted = plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
        let is_small = [deliveries::SETTLE, deliveries::BACKLOG].contains(&statement);
        assert!(!is_sorted || is_small, "{plan:#?}");
    }
}
