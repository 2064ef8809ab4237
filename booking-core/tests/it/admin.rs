//! What admins keep, through the services: nobody else may, and the rules are the library's.

use std::sync::Arc;

use booking_core::testing::fixtures::{
    as_client, as_therapist, client, id, now, other_client, text, therapist, user,
};
use booking_core::testing::{Harness, World};
use booking_core::{
    Actor, AuditAction, BookingError, DeliveryQuery, Hub, ManualClock, MemoryStore, NewWebhook,
    Operation, RandomIds, Refusal, Relay, Replay, Role, Subscriber, SubscriberId, User,
    UserDirectory, WebhookId, Webhooks, sink_fn,
};
use chrono::TimeDelta;
use serde_json::json;

struct Practice {
    world: World,
    directory: UserDirectory,
    webhooks: Webhooks,
    hub: Hub,
}

impl Practice {
    async fn new() -> Self {
        let world = World::new(Harness::new(Arc::new(MemoryStore::default()), ())).await;
        let hub = Hub::default();
        // Another time than that of bookings: of a machine whose clock nobody has set.
        let clock = Arc::new(ManualClock::new(now() + TimeDelta::days(1)));
        let directory = UserDirectory::new(world.booking.clone(), world.directory());
        let webhooks = Webhooks::new(world.booking.clone(), world.outbox(), hub.clone(), clock);
        Self { world, directory, webhooks, hub }
    }

    async fn related(&self, client: &Actor, therapist: &Actor) -> bool {
        self.world.directory().related(&client.id, &therapist.id).await.unwrap()
    }
}

fn admin() -> Actor {
    Actor { id: id("admin_1"), role: Role::Admin }
}

fn new() -> NewWebhook {
    NewWebhook { event_types: [].into(), settings: json!({"url": "https://example.com/secret"}) }
}

fn refusal<T>(outcome: Result<T, BookingError>) -> Refusal {
    match outcome {
        Err(BookingError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

fn all() -> Replay {
    Replay { from: 0, to: u64::MAX, only_dead: false, limit: 10, now: now() }
}

fn deliveries_of(subscriber: SubscriberId) -> DeliveryQuery {
    DeliveryQuery { subscriber, state: None, before: None, limit: 10 }
}

#[tokio::test]
async fn the_directory_is_for_admins() {
    let Practice { world, directory, .. } = &Practice::new().await;
    let before = world.everything().await;
    let (john, jane) = (as_client(&client()), as_therapist(&therapist()));
    let renamed = User { first_name: text("Eve"), ..user(&client()) };
    for actor in [&john, &jane] {
        let refused = [
            refusal(directory.user(actor, &client()).await),
            refusal(directory.put_user(actor, &renamed).await),
            refusal(directory.relate(actor, &other_client(), &therapist()).await),
            refusal(directory.unrelate(actor, &client(), &therapist()).await),
        ];
        let operation = Operation::ManageDirectory;
        assert_eq!(refused, [(); 4].map(|()| Refusal::RoleRequired { operation }));
    }
    assert_eq!(world.everything().await, before);
    assert!(world.directory().related(&client(), &therapist()).await.unwrap());
}

#[tokio::test]
async fn an_admin_keeps_users_and_relationships() {
    let practice = Practice::new().await;
    let (directory, admin) = (&practice.directory, admin());
    let mary = as_client(&id("mary"));
    let jane = as_therapist(&therapist());
    let relate = async |client: &Actor, therapist: &Actor| {
        directory.relate(&admin, &client.id, &therapist.id).await
    };
    assert_eq!(refusal(directory.user(&admin, &mary.id).await), Refusal::UserNotFound);
    assert_eq!(refusal(relate(&mary, &jane).await), Refusal::UserNotFound);
    directory.put_user(&admin, &user(&mary.id)).await.unwrap();
    assert_eq!(directory.user(&admin, &mary.id).await.unwrap(), user(&mary.id));
    for (client, therapist) in [(&jane, &jane), (&jane, &mary)] {
        let refused = refusal(relate(client, therapist).await);
        assert!(matches!(refused, Refusal::Invalid { field: "therapistId", .. }), "{refused:?}");
    }
    relate(&mary, &jane).await.unwrap();
    assert!(practice.related(&mary, &jane).await);
    directory.unrelate(&admin, &mary.id, &jane.id).await.unwrap();
    assert!(!practice.related(&mary, &jane).await);
    let theirs = practice.world.entries().await.into_iter();
    let theirs = theirs.filter(|entry| entry.people.contains(&mary.id));
    assert!(theirs.map(|entry| entry.author).all(|author| author == by(&admin)));
}

fn by(actor: &Actor) -> booking_core::Author {
    booking_core::By::user(actor, now(), &RandomIds).author
}

#[tokio::test]
async fn webhooks_are_for_admins() {
    let Practice { world, webhooks, .. } = &Practice::new().await;
    let hook = webhooks.add(&admin(), new()).await.unwrap();
    let id = hook.id.webhook().unwrap();
    let before = world.everything().await;
    let switch_off = |subscriber: &mut Subscriber| subscriber.is_active = false;
    for actor in [as_client(&client()), as_therapist(&therapist())] {
        let refused = [
            refusal(webhooks.list(&actor).await),
            refusal(webhooks.get(&actor, id).await),
            refusal(webhooks.add(&actor, new()).await),
            refusal(webhooks.change(&actor, id, &switch_off).await),
            refusal(webhooks.remove(&actor, id).await),
            refusal(webhooks.deliveries(&actor, &deliveries_of(hook.id.clone())).await),
            refusal(webhooks.replay(&actor, id, &all()).await),
        ];
        let operation = Operation::ManageWebhooks;
        assert_eq!(refused, [(); 7].map(|()| Refusal::RoleRequired { operation }));
    }
    assert_eq!(world.everything().await, before);
    assert_eq!(world.outbox().subscribers().await.unwrap(), [hook]);
}

#[tokio::test]
async fn an_admin_keeps_webhooks_and_no_other_subscribers() {
    let Practice { world, webhooks, hub, .. } = &Practice::new().await;
    let sink = Arc::new(sink_fn(|_| async { Ok(()) }));
    let nats = SubscriberId::new("nats").unwrap();
    let relay = Relay::new(world.outbox(), hub.clone(), world.clock.clone());
    relay.with_sink(nats.clone(), sink).await.unwrap();
    let admin = admin();
    assert_eq!(webhooks.list(&admin).await.unwrap(), []);
    let refused = webhooks.deliveries(&admin, &deliveries_of(nats)).await;
    assert_eq!(refusal(refused), Refusal::WebhookNotFound);

    let hook = webhooks.add(&admin, new()).await.unwrap();
    assert_eq!((hook.is_active, hook.created_at), (true, now() + TimeDelta::days(1)));
    assert_eq!(webhooks.list(&admin).await.unwrap(), std::slice::from_ref(&hook));
    let id = hook.id.webhook().unwrap();
    assert_eq!(webhooks.get(&admin, id).await.unwrap(), hook);
    let switch_off = |subscriber: &mut Subscriber| subscriber.is_active = false;
    assert!(!webhooks.change(&admin, id, &switch_off).await.unwrap().is_active);
    assert_eq!(webhooks.replay(&admin, id, &all()).await.unwrap(), 0);
    assert_eq!(webhooks.deliveries(&admin, &deliveries_of(hook.id)).await.unwrap(), []);
    webhooks.remove(&admin, id).await.unwrap();
    let gone = [
        refusal(webhooks.get(&admin, id).await),
        refusal(webhooks.change(&admin, id, &switch_off).await),
        refusal(webhooks.remove(&admin, id).await),
        refusal(webhooks.replay(&admin, id, &all()).await),
        refusal(webhooks.deliveries(&admin, &deliveries_of(id.into())).await),
    ];
    assert_eq!(gone, [const { Refusal::WebhookNotFound }; 5]);
    let entries = world.entries().await.into_iter();
    let entries = entries.filter(|entry| entry.subject.id == id.to_string());
    let mut actions: Vec<_> = entries.map(|entry| entry.action).collect();
    actions.sort_unstable_by_key(|action| action.as_str());
    use AuditAction::{WebhookCreated, WebhookDeleted, WebhookUpdated};
    assert_eq!(actions, [WebhookCreated, WebhookDeleted, WebhookUpdated]);
}

#[tokio::test]
async fn webhooks_come_to_an_end() {
    let Practice { webhooks, .. } = &Practice::new().await;
    let mut added = Vec::new();
    for _ in 0..Subscriber::MAX_WEBHOOKS {
        added.push(webhooks.add(&admin(), new()).await.unwrap());
    }
    assert_eq!(refusal(webhooks.add(&admin(), new()).await), Refusal::TooManyWebhooks);
    let first: WebhookId = added[0].id.webhook().unwrap();
    webhooks.remove(&admin(), first).await.unwrap();
    webhooks.add(&admin(), new()).await.unwrap();
    assert!(!format!("{:?}", new()).contains("secret"));
}
