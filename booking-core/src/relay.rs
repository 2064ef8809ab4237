//! Delivers the outbox: at least once, in order per meeting.

use std::collections::HashSet;

use crate::id::MeetingId;
use crate::outbox::{Outbox, Recorded};
use crate::sink::EventSink;
use crate::store::StoreError;

/// How many events are read, offered and taken off the list at a time: no more come again when a
/// pass breaks off.
const PAGE: u32 = 64;

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Events that the sink took.
    pub delivered: usize,
    /// Events that stay for a later pass: the sink refused them, or an earlier one of the same
    /// meeting.
    pub left: usize,
}

/// One pass through the outbox, oldest event first: offers each to the sink, and takes off the list
/// what it took.
///
/// A failure holds back the later events of that meeting, and of no other. How long the sink may
/// take for an event is the sink's to bound. One process at a time may run this over one outbox.
///
/// # Errors
/// [`StoreError`] when the outbox fails; the events delivered last may then come again.
pub async fn relay_once(outbox: &dyn Outbox, sink: &dyn EventSink) -> Result<Passed, StoreError> {
    let mut passed = Passed::default();
    let mut held_back = HashSet::new();
    let mut after = 0;
    loop {
        let page = outbox.undelivered(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(passed) };
        after = last.sequence;
        let delivered = offer(&page, sink, &mut held_back).await;
        outbox.mark_delivered(&delivered).await?;
        passed.delivered += delivered.len();
        passed.left += page.len() - delivered.len();
    }
}

/// The sequences of those that the sink took.
async fn offer(
    page: &[Recorded],
    sink: &dyn EventSink,
    held_back: &mut HashSet<MeetingId>,
) -> Vec<u64> {
    let mut delivered = Vec::with_capacity(page.len());
    for recorded in page {
        let meeting = recorded.event.payload.meeting();
        if held_back.contains(&meeting) {
            continue;
        }
        if sink.deliver(recorded).await.is_ok() {
            delivered.push(recorded.sequence);
        } else {
            held_back.insert(meeting);
        }
    }
    delivered
}
