//! Who gets events: they come, change and go, and get what is published meanwhile.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::events::{sequences, story, subscriber};
use super::fixtures::{by, client, event, hour, meeting, now, therapist};
use super::rows::NASTY;
use super::{World, cases, race};
use crate::{
    Added, AttendanceStatus, DeliveryState, EventPayload, EventType, IdSource, RandomIds,
    SubjectKind, Subscriber, SubscriberId, WebhookId,
};

cases! {
    ($) conformance_subscribers in subscribers:

    /// Everything about them, by when they joined and then by name.
    async fn subscribers_come_back_as_added(world: World) {
        let mut late = subscriber("a.late-one");
        late.created_at += TimeDelta::milliseconds(1);
        let mut picky = subscriber("picky");
        picky.event_types = [EventType::Cancelled, EventType::Booked].into();
        picky.settings =
            json!({ NASTY: [NASTY, null, true, 0.1, 1e300, -7, { "\u{0}": "\u{0}" }] });
        let mut resting = subscriber("Z");
        resting.is_active = false;
        resting.event_types = EventType::ALL.iter().copied().collect();
        for subscriber in [&late, &picky, &resting] {
            world.add(subscriber).await;
        }
        let all = [resting, picky.clone(), late];
        assert_eq!(subscribers(&world).await, all);
        // A name is taken once.
        picky.settings = json!("another");
        assert_eq!(world.try_add(&picky).await, Added::NameTaken);
        assert_eq!(subscribers(&world).await, all);
    }

    /// However many come at the same time: as many are added as there is room for, and no fewer. Those
    /// that programs name do not count.
    async fn there_are_only_so_many_webhooks(world: World) {
        const MOST: usize = Subscriber::MAX_WEBHOOKS;
        world.join("nats").await;
        for _ in 4..MOST {
            world.add(&webhook()).await;
        }
        let added = race((0..12).map(|_| {
            let world = world.clone();
            async move { world.try_add(&webhook()).await }
        }))
        .await;
        let count = |outcome| added.iter().filter(|added| **added == outcome).count();
        assert_eq!((count(Added::Done), count(Added::TooMany)), (4, 8));
        let there = subscribers(&world).await;
        let webhooks: Vec<_> = there.iter().filter(|one| one.id.webhook().is_some()).collect();
        assert_eq!((there.len(), webhooks.len()), (MOST + 1, MOST));
        let of_webhooks = async || {
            let mut entries = world.entries().await;
            entries.retain(|entry| entry.subject.kind == SubjectKind::Webhook);
            entries.len()
        };
        assert_eq!(of_webhooks().await, MOST, "who is refused leaves no entry");
        // A name that is taken is so also then; programs find room; and who goes makes some.
        assert_eq!(world.try_add(webhooks[0]).await, Added::NameTaken);
        world.join("calendars").await;
        let gone = world.outbox().remove_subscriber(&webhooks[0].id, by()).await;
        assert!(gone.expect("they may go"));
        world.add(&webhook()).await;
        assert_eq!(world.try_add(&webhook()).await, Added::TooMany);
    }

    /// A program's sink is added by each of its processes, all of which start at once.
    async fn a_name_is_taken_once(world: World) {
        let added = race([(); 8].map(|()| {
            let world = world.clone();
            async move { world.try_add(&subscriber("nats")).await }
        }))
        .await;
        assert_eq!(added.iter().filter(|added| **added == Added::Done).count(), 1);
        assert!(added.iter().all(|added| *added != Added::TooMany), "{added:?}");
        assert_eq!(subscribers(&world).await, [subscriber("nats")]);
    }

    /// A change sees what there is, says what there is from then on, and cannot touch the name.
    async fn subscribers_change(world: World) {
        let (crm, lab) = (world.join("crm").await, subscriber("lab"));
        world.add(&lab).await;
        let change = |subscriber: &mut Subscriber| {
            assert_eq!((subscriber.id.as_str(), &subscriber.settings), ("crm", &Value::Null));
            subscriber.id = SubscriberId::new("another").expect("a name");
            subscriber.event_types = [EventType::Completed].into();
            subscriber.is_active = false;
            subscriber.settings = json!({ "url": NASTY });
            subscriber.created_at -= TimeDelta::days(1);
        };
        let changed = world.outbox().change_subscriber(&crm, &change, by()).await;
        let changed = changed.expect("the store answers").expect("they are there");
        let mut expected = subscriber("crm");
        let again = |subscriber: &mut Subscriber| subscriber.settings = json!(null);
        change(&mut expected);
        expected.id = crm.clone();
        assert_eq!(changed, expected);
        assert_eq!(subscribers(&world).await, [expected, lab]);
        let nobody = SubscriberId::new("nobody").expect("a name");
        let nobody = world.outbox().change_subscriber(&nobody, &again, by()).await;
        assert_eq!(nobody.expect("the store answers"), None);
    }

    /// Of changes that race, none is lost.
    async fn no_change_of_a_subscriber_is_lost(world: World) {
        let mut counter = subscriber("counter");
        counter.settings = json!(0);
        let id = world.add(&counter).await;
        race((0..12).map(|_| {
            let (outbox, id) = (world.outbox(), id.clone());
            async move {
                for _ in 0..8 {
                    let count = |subscriber: &mut Subscriber| {
                        let counted = subscriber.settings.as_u64().expect("a number");
                        subscriber.settings = json!(counted + 1);
                    };
                    outbox.change_subscriber(&id, &count, by()).await.expect("the store changes them");
                }
            }
        }))
        .await;
        assert_eq!(subscribers(&world).await[0].settings, json!(12 * 8));
    }

    /// Whoever leaves takes their deliveries along, and nobody else's; whoever comes back by the
    /// same name is somebody new.
    async fn subscribers_leave(world: World) {
        let (crm, lab) = (world.join("crm").await, world.join("lab").await);
        world.tell(&story(&meeting(&client(), &therapist(), hour(9)), 3)).await;
        let remove = async || world.outbox().remove_subscriber(&crm, by()).await.expect("they may go");
        assert_eq!((remove().await, remove().await), (true, false));
        assert_eq!(subscribers(&world).await, [subscriber("lab")]);
        assert_eq!(world.deliveries(&crm, None).await, []);
        assert_eq!(world.claim(&crm, now(), 10).await, []);
        world.join("crm").await;
        assert_eq!(world.deliveries(&crm, None).await, []);
        world.tell(&story(&meeting(&client(), &therapist(), hour(9)), 2)).await;
        assert_eq!(world.deliveries(&crm, None).await.len(), 2);
        assert_eq!(world.deliveries(&lab, None).await.len(), 5);
    }

    /// Somebody leaves while others publish and deliver: nobody else notices.
    async fn leaving_disturbs_nobody(world: World) {
        let lab = world.join("lab").await;
        for round in 0..6 {
            let crm = world.join("crm").await;
            let events = story(&meeting(&client(), &therapist(), hour(9)), 12);
            world.commit(&[client(), therapist()], events).await;
            race((0..4).map(|n| {
                let (world, crm, lab) = (world.clone(), crm.clone(), lab.clone());
                async move {
                    match n {
                        0 => assert!(world.outbox().remove_subscriber(&crm, by()).await.expect("it may")),
                        1 => drop(world.take_all(&crm, now()).await),
                        2 => drop(world.take_all(&lab, now()).await),
                        _ => while world.publish_some(2).await > 0 {},
                    }
                }
            }))
            .await;
            world.publish().await;
            world.take_all(&lab, now()).await;
            let delivered = world.deliveries(&lab, Some(DeliveryState::Delivered)).await;
            assert_eq!(delivered.len(), 12 * (round + 1));
            assert_eq!(world.deliveries(&crm, None).await, []);
        }
    }

    /// Each kind of event goes to those who want it.
    async fn only_wanted_kinds_are_noted(world: World) {
        let meeting = meeting(&client(), &therapist(), hour(9));
        let why = String::new;
        let events = [
            EventPayload::booked(&meeting, true),
            EventPayload::rescheduled(&meeting, &meeting, client(), why()),
            EventPayload::cancelled(&meeting, client(), why(), now()),
            EventPayload::completed(&meeting, AttendanceStatus::Attended, now()),
        ];
        let all = EventType::ALL;
        let wishes = [&all[..0], &all[..1], &all[1..3], &all[2..], all];
        for (n, wish) in wishes.iter().enumerate() {
            let event_types = wish.iter().copied().collect();
            world.add(&Subscriber { event_types, ..subscriber(&format!("s{n}")) }).await;
        }
        world.tell(&events.map(event)).await;
        let log = world.events().await;
        for (subscriber, wish) in subscribers(&world).await.iter().zip(wishes) {
            let is_wanted = |kind| wish.is_empty() || wish.contains(&kind);
            let wanted = log.iter().filter(|one| is_wanted(one.event.payload.event_type()));
            assert_eq!(noted(&world, &subscriber.id).await, sequences(wanted));
        }
    }

    /// A subscriber gets what is published while they are there and active. What was pending before
    /// stays, and waits until they are active again.
    async fn subscribers_get_what_is_published_meanwhile(world: World) {
        let meetings = [0; 5].map(|_| meeting(&client(), &therapist(), hour(9)));
        world.tell(&story(&meetings[0], 2)).await;
        let crm = world.join("crm").await;
        assert_eq!(noted(&world, &crm).await, [0; 0]);
        world.tell(&story(&meetings[1], 2)).await;
        world.set_active(&crm, false).await;
        world.tell(&story(&meetings[2], 2)).await;
        assert_eq!(world.claim(&crm, now(), 10).await, []);
        world.set_active(&crm, true).await;
        world.tell(&story(&meetings[3], 2)).await;
        let log = world.events().await;
        let expected = [&log[2..4], &log[6..8]].concat();
        assert_eq!(noted(&world, &crm).await, sequences(&expected));
        world.set_active(&crm, false).await;
        assert_eq!(world.deliveries(&crm, Some(DeliveryState::Pending)).await.len(), 4);
        world.set_active(&crm, true).await;
        let mut taken = world.take_all(&crm, now()).await;
        taken.sort_by_key(|recorded| recorded.sequence);
        assert_eq!(taken, expected);
    }
}

fn webhook() -> Subscriber {
    let id = WebhookId::from_uuid(RandomIds.fresh(now())).into();
    Subscriber { id, ..subscriber("a-webhook") }
}

async fn subscribers(world: &World) -> Vec<Subscriber> {
    world.outbox().subscribers().await.expect("the store answers")
}

/// What was noted for somebody, oldest first.
async fn noted(world: &World, id: &SubscriberId) -> Vec<u64> {
    let deliveries = world.deliveries(id, None).await;
    let mut noted = sequences(deliveries.iter().map(|delivery| &delivery.event));
    noted.reverse();
    noted
}
