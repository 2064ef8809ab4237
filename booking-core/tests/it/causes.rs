//! Errors as a log tells them.

use std::fmt;

use booking_core::{StoreError, with_causes};

/// What a log says of an error: each cause once, whether errors tell theirs themselves or not.
#[test]
fn errors_are_told_with_their_causes() {
    #[derive(Debug, thiserror::Error)]
    enum Told {
        #[error("the pool is empty")]
        Pool(#[source] fmt::Error),
        #[error("no answer: {0}")]
        Itself(#[source] fmt::Error),
        #[error(transparent)]
        Nothing(fmt::Error),
    }
    let cause = fmt::Error.to_string();
    for (told, expected) in [
        (Told::Pool(fmt::Error), format!("the pool is empty: {cause}")),
        (Told::Itself(fmt::Error), format!("no answer: {cause}")),
        (Told::Nothing(fmt::Error), cause.clone()),
    ] {
        assert_eq!(with_causes(&told), expected);
        let error = StoreError::Unavailable(Box::new(told));
        assert_eq!(with_causes(&error), format!("the store is unavailable: {expected}"));
    }
}
