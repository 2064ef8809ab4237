//! The audit log page by page, and what becomes of old entries.

use chrono::{DateTime, TimeDelta, Utc};

use super::fixtures::{
    as_client, as_therapist, client, hour, id, meeting, now, other_client, other_therapist,
    therapist,
};
use super::{World, cases};
use crate::{
    AuditEntry, AuditPlace, AuditQuery, Audited, Author, By, Change, Meeting, MeetingStatus,
    RandomIds, SystemName, UserId,
};

cases! {
    ($) conformance_audit_pages in audit_pages:

    /// Each filter, alone and with others, page by page: all there is, once, the latest first; also
    /// while more is written.
    async fn pages_are_stable(world: World) {
        let log = many(&world).await;
        let times = [log[4].at, log[17].at, log[17].at + TimeDelta::milliseconds(1)];
        for query in queries(times) {
            let expected: Vec<_> = log.iter().filter(|entry| wants(&query, entry)).collect();
            for limit in [1, 7, 100] {
                let mut found = vec![];
                let mut after = None;
                loop {
                    let page = AuditQuery { after, limit, ..query.clone() };
                    let page = world.audit().entries(&page).await.expect("the log answers");
                    let Some(last) = page.last() else { break };
                    after = Some(last.place());
                    found.extend(page);
                    // What is newer than the first page changes nothing about the others.
                    if found.len() == 7 {
                        let later = Author::System(SystemName::of("later"));
                        note(&world, later, times[1] + TimeDelta::days(1)).await;
                    }
                }
                // What was written since, which was still to come.
                found.retain(|entry| entry.author.id() != "system:later");
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query:?} by {limit}");
            }
        }
    }

    /// Entries that are too old go, the oldest first, some at a time; no others do.
    async fn old_entries_are_forgotten(world: World) {
        let log = many(&world).await;
        let before = log[20].at;
        let old = log.iter().filter(|entry| entry.at < before).count();
        let forget = async |limit| {
            let gone = world.audit().forget_audit(before, limit).await;
            usize::try_from(gone.expect("the log forgets")).expect("few")
        };
        assert_eq!(forget(0).await, 0);
        assert_eq!(forget(3).await, 3);
        assert_eq!(world.entries().await, log[..log.len() - 3]);
        assert_eq!(forget(1_000).await, old - 3);
        assert_eq!(forget(1_000).await, 0);
        assert_eq!(world.entries().await, log[..log.len() - old]);
        note(&world, Author::System(SystemName::of("later")), before).await;
        assert_eq!(world.entries().await.len(), log.len() - old + 1, "it goes on");
    }
}

/// Writes an entry for a change of nobody's meeting.
async fn note(world: &World, author: Author, at: DateTime<Utc>) {
    let by = match author {
        Author::User(actor) => By::user(&actor, at, &RandomIds),
        Author::System(name) => By::system(name, at, &RandomIds),
    };
    let meeting = meeting(&client(), &therapist(), hour(1));
    let meeting = Meeting { status: MeetingStatus::Cancelled, ..meeting };
    let writes = vec![Audited::insert_meeting(by, meeting)];
    world.apply(Change { writes, ..Change::default() }).await;
}

/// Forty entries, some at the same time, by different people about different people, the latest
/// first, and before them those of the world's people.
async fn many(world: &World) -> Vec<AuditEntry> {
    let clients = [client(), other_client()];
    for n in 0..40_u8 {
        let at = now() + TimeDelta::milliseconds(i64::from(n / 3));
        let who = &clients[usize::from(n % 2)];
        let with = if n % 5 == 0 { other_therapist() } else { therapist() };
        let by = match n % 4 {
            0 => By::system(SystemName::of("test"), at, &RandomIds),
            1 => By::user(&as_therapist(&with), at, &RandomIds),
            _ => By::user(&as_client(who), at, &RandomIds),
        };
        let meeting = meeting(who, &with, hour(i64::from(n)));
        let write = if n % 7 == 0 {
            // About three people.
            let before = Meeting { therapist: other_therapist(), ..meeting.clone() };
            world.insert(std::slice::from_ref(&before)).await;
            Audited::update_meeting(by, &before, meeting)
        } else {
            Audited::insert_meeting(by, meeting)
        };
        world.apply(Change { writes: vec![write], ..Change::default() }).await;
    }
    let log = world.entries().await;
    let is_latest_first = log.windows(2).all(|pair| pair[0].place() > pair[1].place());
    assert!(is_latest_first && log.len() > 40, "{log:#?}");
    log
}

fn queries([early, late, later]: [DateTime<Utc>; 3]) -> Vec<AuditQuery> {
    let all = AuditQuery::latest(1);
    let person = |id: UserId| AuditQuery { person: Some(id), ..all.clone() };
    let author = |name: &str| AuditQuery { author: Some(id(name)), ..all.clone() };
    let subject = |id: &str| AuditQuery { subject: Some(id.to_owned()), ..all.clone() };
    let mut queries = vec![
        all.clone(),
        person(client()),
        person(other_therapist()),
        person(id("nobody")),
        author("system:test"),
        author("client_123"),
        author("client_12"),
        subject("client_123"),
        subject("client_123/therapist_456"),
        subject("nothing"),
        AuditQuery { author: Some(client()), ..person(therapist()) },
        AuditQuery { author: Some(id("system:test")), ..subject("client_123") },
        AuditQuery { person: Some(therapist()), ..subject("client_123/therapist_456") },
    ];
    for query in queries.clone() {
        queries.push(AuditQuery { from: Some(late), to: Some(early), ..query.clone() });
        queries.push(AuditQuery { from: Some(later), ..query.clone() });
        queries.push(AuditQuery { to: Some(late), ..query });
    }
    queries
}

/// What a query says, in the plainest way.
fn wants(query: &AuditQuery, entry: &AuditEntry) -> bool {
    query.author.as_ref().is_none_or(|author| entry.author.id() == author.as_str())
        && query.person.as_ref().is_none_or(|person| entry.people.contains(person))
        && query.subject.as_ref().is_none_or(|subject| entry.subject.id == *subject)
        && query.from.is_none_or(|from| from <= entry.at)
        && query.to.is_none_or(|to| entry.at < to)
        && query.after.is_none_or(|AuditPlace { at, id }| (entry.at, entry.id) < (at, id))
}
