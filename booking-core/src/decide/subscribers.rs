//! Who can join those who get events.

use crate::delivery::{Added, Subscriber, SubscriberId};

/// Whether there is room for somebody beside those who get events already. Those that programs name are
/// few; webhooks can be [so many](Subscriber::MAX_WEBHOOKS).
///
/// Stores ask this in the transaction that [adds](crate::Deliveries::add_subscriber) them.
pub fn admit_subscriber<'a>(
    new: &SubscriberId,
    there: impl IntoIterator<Item = &'a Subscriber>,
) -> Added {
    let mut webhooks = 0;
    for subscriber in there {
        if subscriber.id == *new {
            return Added::NameTaken;
        }
        webhooks += usize::from(subscriber.id.webhook().is_some());
    }
    let is_full = new.webhook().is_some() && webhooks >= Subscriber::MAX_WEBHOOKS;
    if is_full { Added::TooMany } else { Added::Done }
}
