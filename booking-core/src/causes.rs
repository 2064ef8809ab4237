//! Errors as people who look after a server read them.

use std::error::Error;

/// An error with all its causes, for a log; some errors tell their cause themselves.
///
/// Whoever makes errors has to keep secrets out of their causes too.
///
/// ```
/// use booking_core::{StoreError, with_causes};
///
/// let error = StoreError::Unavailable("no connection in time".into());
/// assert_eq!(with_causes(&error), "the store is unavailable: no connection in time");
/// ```
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
