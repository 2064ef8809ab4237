//! What cases do with linked calendars time and again.

use chrono::{DateTime, TimeDelta, Utc};

use super::World;
pub(super) use super::fixtures::link;
use super::fixtures::{by, hour, now, text};
use crate::{
    AuditAction, AuditEntry, BusyTimes, Copied, CopyClaim, CopyState, Linked, LinkedCalendar,
    LinkedCalendarId, NewsOutcome, RandomIds, Scope, Span, SpanSet, UnreadEvent, UnreadEvents,
    UnreadPart, UserChange, UserId, UserNews,
};

/// So many seconds after [`now`].
pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

pub(super) fn span((from, to): (DateTime<Utc>, DateTime<Utc>)) -> Span {
    Span::new(from, to).expect("a span")
}

pub(super) fn set(spans: &[(DateTime<Utc>, DateTime<Utc>)]) -> SpanSet {
    spans.iter().copied().map(span).collect()
}

pub(super) async fn add(world: &World, link: &LinkedCalendar) -> Linked {
    world.links().link(link, by()).await.expect("the store takes links")
}

pub(super) async fn remove(world: &World, therapist: &UserId, id: LinkedCalendarId) -> bool {
    world.links().unlink(therapist, id, by()).await.expect("the store removes links")
}

pub(super) async fn links_of(world: &World, therapist: &UserId) -> Vec<LinkedCalendar> {
    world.links().linked_to(therapist).await.expect("the store answers")
}

pub(super) async fn found(world: &World, id: LinkedCalendarId) -> Option<LinkedCalendar> {
    world.links().linked_calendar(id).await.expect("the store answers")
}

pub(super) async fn claim(
    world: &World,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: u32,
) -> Vec<LinkedCalendar> {
    let claim = CopyClaim { now, until, limit };
    world.links().claim_links(&claim).await.expect("the store answers")
}

pub(super) async fn claim_one(
    world: &World,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> LinkedCalendar {
    let mut claimed = claim(world, now, until, 9).await;
    assert_eq!(claimed.len(), 1, "it is due");
    claimed.remove(0)
}

/// Of each kind one, and more that are not named.
pub(super) fn some_unread() -> UnreadEvents {
    let event = |(n, part): (usize, &UnreadPart)| UnreadEvent {
        uid: text(if n == 0 { "1\"\\😀@example.com" } else { "" }),
        part: *part,
    };
    UnreadEvents { count: u32::MAX, first: UnreadPart::ALL.iter().enumerate().map(event).collect() }
}

/// The state after a copy at that second.
pub(super) fn copied_at(second: i64, next_at: DateTime<Utc>) -> CopyState {
    let then = Some(at(second));
    CopyState { fetched_at: then, expanded_at: then, checked_at: then, ..CopyState::due(next_at) }
}

/// Under this claim.
pub(super) async fn copied(
    world: &World,
    claimed: &LinkedCalendar,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Copied {
    let all = Span::new(hour(-24 * 400), hour(24 * 400)).expect("a span");
    let times = BusyTimes::within(all, &set(spans)).expect("a few");
    let copied = world.links().copied(claimed, &copied_at(1, at(1_000)), Some(&times)).await;
    copied.expect("the store takes copies")
}

/// Of a link as it was made: nobody has claimed it yet.
pub(super) async fn copy(
    world: &World,
    link: &LinkedCalendar,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
) {
    assert_ne!(copied(world, link, spans).await, Copied::Outdated);
}

/// Of a link as it is now.
pub(super) async fn copy_again(
    world: &World,
    link: &LinkedCalendar,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Copied {
    let present = found(world, link.id).await.expect("it is there");
    copied(world, &present, spans).await
}

/// All that is known of when linked calendars keep somebody busy.
pub(super) async fn busy_of(world: &World, therapist: &UserId) -> SpanSet {
    let all = Span::new(hour(-24 * 500), hour(24 * 500)).expect("a span");
    let hours_of = Some(therapist.clone());
    let people = [therapist.clone()].into();
    let scope = Scope { people, hours_of, busy_within: all.into(), ..Scope::default() };
    world.read(&scope).await.external.into_iter().collect()
}

pub(super) async fn leave(world: &World, user: &UserId) {
    let news = UserNews {
        message: format!("msg_{user}"),
        user: user.clone(),
        changed_at: now(),
        received_at: now(),
        change: UserChange::Deleted,
    };
    let taken = world.directory().take_news(&news, by(), &RandomIds).await;
    assert_eq!(taken.expect("the directory takes news"), NewsOutcome::Taken);
}

/// What the audit log says of linked calendars, the latest first; those of one instant, as they go.
pub(super) async fn told(world: &World) -> Vec<AuditEntry> {
    let mut entries = world.entries().await;
    entries.retain(|entry| entry.action.as_str().starts_with("calendar."));
    entries.sort_by_key(|entry| match entry.action {
        AuditAction::CalendarUnlinked => 0,
        AuditAction::CalendarChanged => 1,
        _ => 2,
    });
    entries
}
