//! The directory that comes with a store.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use super::fixtures::{by, client, id, other_client, other_therapist, text, therapist, user};
use super::{cases, race};
use crate::{Calendars, ChangeError, Decline, Email, Refusal, Role, Scope, User};

cases! {
    ($) conformance_people in people:

    /// Somebody who is put again is replaced, and nobody else is.
    async fn a_user_is_replaced(world: World) {
        let directory = world.directory();
        let find = async |id| directory.user(&id).await.expect("the directory answers");
        let before = user(&client());
        assert_eq!(find(client()).await.as_ref(), Some(&before));
        for (role, zone) in Role::ALL.iter().zip([Some(chrono_tz::Asia::Kathmandu), None, None]) {
            let after = User {
                role: *role,
                zone,
                first_name: text(role.as_str()),
                email: Email::new("john@example.org").expect("an address"),
                ..before.clone()
            };
            directory.put_user(&after, by()).await.expect("the directory takes users");
            assert_eq!(find(client()).await, Some(after));
        }
        assert_eq!(find(other_client()).await, Some(user(&other_client())));
    }

    /// What availability means hangs on whose it is: who counts changes of calendars counts those.
    async fn a_calendar_changes_with_whose_it_is(world: World) {
        world.open(&therapist()).await;
        let scope = Scope { people: [therapist()].into(), ..Scope::default() };
        let revision = async || world.read(&scope).await.revisions.remove(&therapist());
        let before = user(&therapist());
        let zone = Some(chrono_tz::Asia::Kathmandu);
        let mut seen = BTreeSet::from([revision().await]);
        for after in [
            User { zone, ..before.clone() },
            before.clone(),
            User { role: Role::Client, ..before.clone() },
            User { zone, ..before },
        ] {
            world.directory().put_user(&after, by()).await.expect("the directory takes users");
            let now = revision().await;
            assert!(seen.insert(now) || now.is_none(), "{after:?} is not counted: {now:?}");
        }
    }

    /// Who is not known is left out, and that is no error.
    async fn unknown_users_are_left_out(world: World) {
        let ids: BTreeSet<_> = [client(), id("nobody"), therapist(), id("CLIENT_123")].into();
        let found = world.directory().users(&ids).await.expect("the directory answers");
        assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), [client(), therapist()].into());
        assert!(found.iter().all(|(id, user)| user.id == *id));
        let nobody = world.directory().users(&BTreeSet::new()).await;
        assert!(nobody.expect("the directory answers").is_empty());
        let nobody = world.directory().user(&id("nobody")).await;
        assert_eq!(nobody.expect("the directory answers"), None);
    }

    /// A relationship holds in one direction, once, until it ends.
    async fn relationships_have_a_direction(world: World) {
        let directory = world.directory();
        let related = async |a, b| directory.related(&a, &b).await.expect("the directory answers");
        assert!(related(client(), therapist()).await);
        assert!(!related(therapist(), client()).await);
        assert!(!related(client(), client()).await);
        assert!(!related(id("nobody"), therapist()).await);

        directory.relate(&client(), &therapist(), by()).await.expect("once more changes nothing");
        directory.unrelate(&client(), &therapist(), by()).await.expect("it ends");
        assert!(!related(client(), therapist()).await);
        assert!(related(client(), other_therapist()).await);
        assert!(related(other_client(), therapist()).await);
        directory.unrelate(&client(), &therapist(), by()).await.expect("there is none to end");
        directory.unrelate(&id("nobody"), &id("no_one"), by()).await.expect("there is none to end");
        directory.relate(&client(), &therapist(), by()).await.expect("it begins again");
        assert!(related(client(), therapist()).await);
    }

    /// The two are known, are not one, and the therapist is one, or nothing changes.
    async fn relationships_are_between_a_user_and_a_therapist(world: World) {
        let admin = User { role: Role::Admin, ..user(&id("admin_1")) };
        world.directory().put_user(&admin, by()).await.expect("the directory takes users");
        let before = world.entries().await;
        let (nobody, no_one) = (id("nobody"), id("no_one"));
        let (itself, no_therapist) = (Some("is the client"), Some("is not a therapist"));
        let table = [
            (nobody.clone(), therapist(), None),
            (client(), nobody.clone(), None),
            (nobody.clone(), no_one, None),
            (therapist(), therapist(), itself),
            (client(), client(), itself),
            (nobody.clone(), nobody, itself),
            (client(), other_client(), no_therapist),
            (therapist(), client(), no_therapist),
            (client(), admin.id.clone(), no_therapist),
        ];
        for (client, therapist, detail) in table {
            let refused = world.directory().relate(&client, &therapist, by()).await;
            let expected = detail.map_or(Refusal::UserNotFound, |detail| {
                Refusal::Invalid { field: "therapistId", detail }
            });
            assert_eq!(refusal(refused), expected, "{client} {therapist}");
            let related = world.directory().related(&client, &therapist).await;
            assert!(!related.expect("the directory answers"), "{client} {therapist}");
        }
        assert_eq!(world.entries().await, before);
        world.directory().relate(&admin.id, &therapist(), by()).await.expect("anybody may be");
    }

    /// Who stops being a therapist at the same time, does so before or after: nobody waits for ever, and
    /// whoever comes when that is known is refused.
    async fn relationships_go_by_what_a_user_is_now(world: World) {
        let jane = user(&therapist());
        for role in [Role::Client, Role::Therapist, Role::Admin, Role::Therapist] {
            let outcomes = race((0..8).map(|n| {
                let (world, jane) = (world.clone(), User { role, ..jane.clone() });
                async move {
                    let directory = world.directory();
                    if n == 4 {
                        directory.put_user(&jane, by()).await.expect("the directory takes users");
                        return None;
                    }
                    directory.unrelate(&client(), &jane.id, by()).await.expect("it ends");
                    Some(directory.relate(&client(), &jane.id, by()).await)
                }
            }))
            .await;
            for refused in outcomes.into_iter().flatten().filter(Result::is_err) {
                assert!(matches!(refusal(refused), Refusal::Invalid { .. }));
            }
            let now = world.directory().relate(&client(), &therapist(), by()).await;
            assert_eq!(now.is_ok(), role == Role::Therapist, "{role} {now:?}");
        }
    }

    /// Replacing somebody does not end their relationships.
    async fn a_replaced_user_stays_related(world: World) {
        let directory = world.directory();
        let renamed = User { first_name: text("Mary"), ..user(&therapist()) };
        directory.put_user(&renamed, by()).await.expect("the directory takes users");
        assert!(directory.related(&client(), &therapist()).await.expect("the directory answers"));
    }

    /// A store that keeps this directory tells of it what the directory does, under locks too; one that
    /// does not, tells nothing.
    async fn the_store_tells_the_same(world: World) {
        let (store, directory) = (world.store(), world.directory());
        let keeps = directory.id().is_some() && store.directory() == directory.id();
        let users: BTreeSet<_> = [client(), therapist(), id("nobody")].into();
        let known = directory.users(&users).await.expect("the directory answers");
        for two in [(client(), therapist()), (therapist(), client()), (id("nobody"), therapist())] {
            let related = directory.related(&two.0, &two.1).await.expect("the directory answers");
            let scope = Scope { users: users.clone(), related: Some(two), ..Scope::default() };
            let seen = world.read(&scope).await;
            if keeps {
                assert_eq!((&seen.users, seen.are_related), (&known, related));
                let locked = Mutex::new(HashMap::new());
                let scope = Scope { people: users.clone(), ..scope };
                let look = |found: &Calendars| {
                    locked.lock().expect("nobody panics").clone_from(&found.users);
                    Err(Decline::ScopeTooNarrow)
                };
                world.change(&scope, &look).await.expect_err("it was declined");
                assert_eq!(locked.into_inner().expect("nobody panics"), known);
            } else {
                assert_eq!(store.directory(), None, "another directory than the store's own");
            }
        }
    }

    /// Bookings read it: who is not related does not book.
    async fn only_related_clients_book(world: World) {
        world.open(&therapist()).await;
        world.book_hour(super::fixtures::hour(9)).await.expect("they are related");
        world.directory().unrelate(&client(), &therapist(), by()).await.expect("it ends");
        let refused = world.book_hour(super::fixtures::hour(12)).await;
        let refused: super::Tally<_> = [refused].into_iter().collect();
        assert_eq!(refused.refused, [Refusal::NoRelationship]);
        assert_eq!(world.meetings_of(&client()).await.len(), 1, "booked meetings stay");
    }
}

fn refusal<T>(outcome: Result<T, ChangeError>) -> Refusal {
    match outcome {
        Err(ChangeError::Declined(Decline::Refused(refusal))) => refusal,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was not refused"),
    }
}
