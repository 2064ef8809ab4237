//! Delivers the outbox: at least once, in order per meeting.

use std::collections::HashSet;

use crate::outbox::Outbox;
use crate::sink::EventSink;
use crate::store::StoreError;

/// How many events one pass looks at.
const BATCH: u32 = 256;

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Events that the sink took.
    pub delivered: usize,
    /// Events that stay for a later pass: the sink refused them, or an earlier one of the same
    /// meeting.
    pub left: usize,
}

/// One pass: offers the oldest undelivered events to the sink, and takes off the list what it took.
///
/// A failure holds back the later events of that meeting only. One process at a time may run this
/// over one outbox.
///
/// # Errors
/// [`StoreError`] when the outbox fails; events delivered just before may then come again.
pub async fn relay_once(outbox: &dyn Outbox, sink: &dyn EventSink) -> Result<Passed, StoreError> {
    let mut held_back = HashSet::new();
    let mut delivered = Vec::new();
    let batch = outbox.undelivered(BATCH).await?;
    for recorded in &batch {
        let meeting = recorded.event.payload.meeting();
        if held_back.contains(&meeting) {
            continue;
        }
        match sink.deliver(recorded).await {
            Ok(()) => delivered.push(recorded.sequence),
            Err(_) => {
                held_back.insert(meeting);
            }
        }
    }
    outbox.mark_delivered(&delivered).await?;
    Ok(Passed { delivered: delivered.len(), left: batch.len() - delivered.len() })
}
