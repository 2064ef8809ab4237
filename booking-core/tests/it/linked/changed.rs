//! What becomes of copies when links change, or do not.

use std::collections::BTreeSet;

use booking_core::testing::World;
use booking_core::testing::fixtures::{hour, now, text, therapist};
use booking_core::{
    AuditQuery, BusyTimes, Copied, CopyClaim, LinkPatch, LinkedCalendar, SealedLocation, SpanSet,
    WriteBack,
};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Practice, busy, jane, new};

const LOCAL: &str = "20240115T100000";

/// As it was linked.
const SAME: LinkPatch =
    LinkPatch { label: None, zone: None, write_back: WriteBack::Off, location: None };

fn called(label: &str) -> LinkPatch {
    LinkPatch { label: Some(text(label)), ..SAME }
}

async fn entries(world: &World) -> usize {
    world.audit().entries(&AuditQuery::latest(1_000)).await.expect("memory holds").len()
}

/// Linked, and read once.
async fn linked() -> (Practice, LinkedCalendar) {
    let practice = Practice::open().await;
    practice.world.open(&therapist()).await;
    practice.links.add(&jane(), new(&practice.links)).await.expect("there is room");
    assert!(practice.pass(now(), busy(LOCAL, "one")).await);
    practice.asked();
    let link = practice.link().await;
    (practice, link)
}

#[tokio::test]
async fn what_is_as_it_was_is_no_change() {
    let (practice, before) = linked().await;
    let Practice { world, links, .. } = &practice;
    let recorded = entries(world).await;
    let there = Some((before.host.clone(), before.location.clone()));
    world.clock.set(now() + TimeDelta::minutes(5));
    for same in [SAME, LinkPatch { location: there, ..SAME }] {
        assert_eq!(links.change(&jane(), before.id, &same).await.expect("it is theirs"), before);
    }
    assert_eq!((practice.link().await, entries(world).await), (before, recorded));
    assert!(!practice.pass(now() + TimeDelta::minutes(5), busy(LOCAL, "no")).await);
}

#[tokio::test]
async fn a_label_has_nothing_read_again() {
    let (practice, before) = linked().await;
    let Practice { world, links, .. } = &practice;
    let recorded = entries(world).await;
    world.clock.set(now() + TimeDelta::minutes(5));
    let named = links.change(&jane(), before.id, &called("Work")).await.expect("it is theirs");
    let expected = LinkedCalendar { version: 2, label: Some(text("Work")), ..before };
    assert_eq!((&named, entries(world).await), (&expected, recorded + 1));
    assert_eq!(practice.link().await, expected);
    assert!(!practice.pass(now() + TimeDelta::minutes(5), busy(LOCAL, "no")).await);
}

/// While somebody is at it: what they find counts.
#[tokio::test]
async fn labels_outdate_no_copy() {
    let (practice, link) = linked().await;
    let Practice { world, links, .. } = &practice;
    let now = link.copy.next_at;
    world.clock.set(now);
    let claim = CopyClaim { now, until: now + TimeDelta::minutes(5), limit: 1 };
    let claimed = world.links().claim_links(&claim).await.expect("memory holds").remove(0);
    for n in 0..20 {
        links.change(&jane(), link.id, &called(["Work", "Home"][n % 2])).await.expect("theirs");
    }
    let found = BusyTimes::within(BusyTimes::window(now).unwrap(), &SpanSet::default()).unwrap();
    let copied = world.links().copied(&claimed, &link.copy, Some(&found)).await;
    assert_eq!(copied.expect("memory holds"), Copied::Changed);
    assert!(practice.is_free(hour(10)).await);
    assert_eq!(practice.link().await.version, 21);
}

/// However often it is changed, and in what: it is read once a minute, and does not have to wait for longer.
#[tokio::test]
async fn whoever_changes_a_link_time_and_again_has_it_read_once_a_minute() {
    let (practice, link) = linked().await;
    let Practice { world, links, .. } = &practice;
    let zones =
        [Tz::Asia__Tokyo, Tz::Europe__Berlin].map(|zone| LinkPatch { zone: Some(zone), ..SAME });
    let places = [1, 2].map(|n| LinkPatch {
        location: Some((link.host.clone(), SealedLocation(vec![n, n]))),
        ..SAME
    });
    let mut read: BTreeSet<DateTime<Utc>> = [now()].into();
    for (second, patches) in (5..1_200).step_by(5).zip([&zones, &places].into_iter().cycle()) {
        let at = now() + TimeDelta::seconds(second);
        world.clock.set(at);
        for patch in patches {
            links.change(&jane(), link.id, patch).await.expect("it is theirs");
        }
        if practice.pass(at, busy(LOCAL, "new")).await {
            read.insert(at);
        }
    }
    let waits: BTreeSet<_> = read
        .iter()
        .zip(read.range(now() + TimeDelta::seconds(1)..))
        .map(|(a, b)| *b - *a)
        .collect();
    assert_eq!(waits, [TimeDelta::minutes(1)].into());
}
