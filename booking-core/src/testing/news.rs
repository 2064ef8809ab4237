//! What an identity provider tells of users.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::fixtures::{by, client, hour, id, meeting, now, text, therapist, user};
use super::{World, cases};
use crate::{
    AuditAction, AuditEntry, AuditQuery, ChangeError, DirectoryAdmin, Email, NewsOutcome,
    RandomIds, Role, User, UserChange, UserId, UserNews, UserProfile,
};

cases! {
    ($) conformance_news in news:

    /// Somebody who is told of is there, and is as they were told of last.
    async fn users_come_and_change(world: World) {
        let mary = id("user_mary");
        assert_eq!(take(&world, "1", &mary, 1, is("Mary", Some(Role::Client))).await, TAKEN);
        assert_eq!(find(&world, &mary).await, Some(named(&mary, "Mary", Role::Client)));
        assert_eq!(take(&world, "2", &mary, 2, is("Maria", Some(Role::Therapist))).await, TAKEN);
        assert_eq!(find(&world, &mary).await, Some(named(&mary, "Maria", Role::Therapist)));
        // What the provider does not say stays.
        let silent = UserProfile { role: Some(Role::Admin), ..UserProfile::default() };
        assert_eq!(take(&world, "3", &mary, 3, UserChange::Is(silent)).await, TAKEN);
        assert_eq!(find(&world, &mary).await, Some(named(&mary, "Maria", Role::Admin)));
        assert_eq!(find(&world, &client()).await, Some(user(&client())), "and nobody else changes");
    }

    /// Whoever has no role, or no address, joins once they have.
    async fn the_incomplete_join_later(world: World) {
        let mary = id("user_mary");
        assert_eq!(take(&world, "1", &mary, 1, is("Mary", None)).await, TAKEN);
        assert_eq!(find(&world, &mary).await, None);
        let no_address = UserProfile { role: Some(Role::Client), ..UserProfile::default() };
        assert_eq!(take(&world, "2", &mary, 2, UserChange::Is(no_address)).await, TAKEN);
        assert_eq!(find(&world, &mary).await, None);
        assert_eq!(take(&world, "3", &mary, 3, is("Mary", Some(Role::Client))).await, TAKEN);
        assert_eq!(find(&world, &mary).await, Some(named(&mary, "Mary", Role::Client)));
    }

    /// A role that the provider gave goes when it says so; one that an admin gave does not.
    async fn a_role_goes_with_whoever_gave_it(world: World) {
        let mary = id("user_mary");
        take(&world, "1", &mary, 1, is("Mary", Some(Role::Admin))).await;
        assert_eq!(take(&world, "2", &mary, 2, is("Mary", None)).await, TAKEN);
        assert_eq!(find(&world, &mary).await, None);

        assert_eq!(take(&world, "3", &client(), 3, is("Jon", None)).await, TAKEN);
        assert_eq!(find(&world, &client()).await, Some(named(&client(), "Jon", Role::Client)));
        let related = world.directory().related(&client(), &therapist()).await;
        assert!(related.expect("the directory answers"));
    }

    /// Who is gone is gone, with their relationships; meetings stay. No late news bring them back.
    async fn the_deleted_do_not_come_back(world: World) {
        world.insert(&[meeting(&client(), &therapist(), hour(9))]).await;
        // By a clock that was behind.
        assert_eq!(take(&world, "1", &therapist(), 5, is("Jane", Some(Role::Therapist))).await, TAKEN);
        assert_eq!(take(&world, "2", &therapist(), 4, UserChange::Deleted).await, TAKEN);
        let directory = world.directory();
        let related = async || directory.related(&client(), &therapist()).await.expect("an answer");
        assert_eq!(find(&world, &therapist()).await, None);
        assert!(!related().await);
        assert_eq!(world.meetings_of(&therapist()).await.len(), 1);
        for (message, at) in [("3", 1), ("4", 9)] {
            let late = is("Jane", Some(Role::Therapist));
            let outcome = take(&world, message, &therapist(), at, late).await;
            assert_eq!(outcome, NewsOutcome::Outdated);
            assert_eq!(find(&world, &therapist()).await, None);
        }
        let again = take(&world, "5", &therapist(), 10, UserChange::Deleted).await;
        assert_eq!(again, NewsOutcome::Outdated);
        // An admin may say otherwise, and that begins anew.
        directory.put_user(&user(&therapist()), by()).await.expect("the directory takes users");
        assert!(find(&world, &therapist()).await.is_some() && !related().await);
        // Who never was there may go too.
        assert_eq!(take(&world, "6", &id("nobody"), 1, UserChange::Deleted).await, TAKEN);
    }

    /// In whatever order news come, and however often, in the end it is as the newest say.
    async fn order_does_not_matter(world: World) {
        let news = [
            (1, is("One", Some(Role::Client))),
            (2, is("Two", Some(Role::Therapist))),
            (3, is("Three", None)),
            (4, is("Four", Some(Role::Client))),
        ];
        for (n, order) in permutations(&[0, 1, 2, 3]).into_iter().enumerate() {
            let mary = id(&format!("user_{n}"));
            for _twice in 0..2 {
                for &index in &order {
                    let (at, change) = &news[index];
                    let message = format!("{n}.{index}");
                    take(&world, &message, &mary, *at, change.clone()).await;
                }
            }
            let last = named(&mary, "Four", Role::Client);
            assert_eq!(find(&world, &mary).await, Some(last), "{order:?}");
        }
    }

    /// Also when all come at once, each of them twice: each is taken once at most, and the newest
    /// stays.
    async fn news_that_race_are_taken_in_turn(world: World) {
        let mary = id("user_mary");
        let directory = world.directory();
        let racing: Vec<_> = (0..32)
            .map(|n: i64| {
                let at = n / 2;
                let role = Some(Role::Client);
                let news = news(&format!("{at}"), &mary, at, is(&format!("Mary {at}"), role));
                let directory: Arc<dyn DirectoryAdmin> = directory.clone();
                tokio::spawn(async move {
                    (at, directory.take_news(&news, by(), &RandomIds).await)
                })
            })
            .collect();
        let mut settled = vec![0; 16];
        for racing in racing {
            let (at, outcome) = racing.await.expect("no panic");
            let outcome = outcome.expect("the directory takes news");
            if outcome != NewsOutcome::Repeated {
                settled[usize::try_from(at).expect("a small number")] += 1;
            }
        }
        assert_eq!(settled, vec![1; 16]);
        assert_eq!(find(&world, &mary).await, Some(named(&mary, "Mary 15", Role::Client)));
    }

    /// Whoever is made somebody's client while they go is not in the end, and goes all the same.
    async fn a_relationship_does_not_outlive_its_people(world: World) {
        let directory = world.directory();
        for n in 0..20 {
            let mary = id(&format!("user_{n}"));
            directory.put_user(&named(&mary, "Mary", Role::Client), by()).await.expect("a user");
            let goes = {
                let (directory, news) =
                    (directory.clone(), news(&format!("{n}"), &mary, 1, UserChange::Deleted));
                tokio::spawn(async move { directory.take_news(&news, by(), &RandomIds).await })
            };
            let comes = {
                let (directory, mary) = (directory.clone(), mary.clone());
                tokio::spawn(async move { directory.relate(&mary, &therapist(), by()).await })
            };
            assert_eq!(goes.await.expect("no panic").expect("the directory takes news"), TAKEN);
            // She was there or not.
            let came_in_time = match comes.await.expect("no panic") {
                Ok(()) => true,
                Err(ChangeError::Declined(_)) => false,
                Err(ChangeError::Store(error)) => panic!("{error:?}"),
            };
            assert_eq!(find(&world, &mary).await, None);
            let related = directory.related(&mary, &therapist()).await;
            assert!(!related.expect("the directory answers"), "{n}");
            let subject = Some(format!("{mary}/{}", therapist()));
            let query = AuditQuery { subject, ..AuditQuery::latest(100) };
            let told = told(&world, &query).await;
            let came_and_went = ["relationship.added", "relationship.removed"].map(|action| {
                told.iter().filter(|told| told.starts_with(action)).count()
            });
            let came = usize::from(came_in_time);
            assert_eq!(came_and_went, [came, came], "{n}: what began has ended, on record");
        }
    }

    /// A message is remembered for a while; what repeats it after that is outdated, not new.
    async fn messages_are_forgotten(world: World) {
        let mary = id("user_mary");
        let first = news("1", &mary, 1, is("Mary", Some(Role::Client)));
        let newer = news("2", &mary, 2, is("Maria", Some(Role::Client)));
        let directory = world.directory();
        let take = async |news: &UserNews, after: TimeDelta| {
            let news = UserNews { received_at: now() + after, ..news.clone() };
            directory.take_news(&news, by(), &RandomIds).await.expect("the directory takes news")
        };
        assert_eq!(take(&first, TimeDelta::zero()).await, TAKEN);
        assert_eq!(take(&newer, TimeDelta::hours(1)).await, TAKEN);
        assert_eq!(take(&first, UserNews::REMEMBERED).await, NewsOutcome::Repeated);
        let later = UserNews::REMEMBERED + TimeDelta::minutes(1);
        // Whoever comes next clears away what is old.
        take(&news("3", &id("user_peter"), 1, is("Peter", None)), later).await;
        assert_eq!(take(&first, later).await, NewsOutcome::Outdated);
        assert_eq!(find(&world, &mary).await, Some(named(&mary, "Maria", Role::Client)));
    }

    /// Each change of the directory has its entry, and what changes nothing has none.
    async fn news_that_change_a_user_are_recorded(world: World) {
        let mary = id("user_mary");
        let client = Some(Role::Client);
        take(&world, "1", &mary, 1, is("Mary", client)).await;
        take(&world, "1", &mary, 1, is("Mary", client)).await;
        take(&world, "2", &mary, 2, is("Mary", client)).await;
        take(&world, "3", &mary, 3, is("Maria", client)).await;
        take(&world, "4", &mary, 2, is("Marie", client)).await;
        take(&world, "5", &mary, 5, UserChange::Deleted).await;
        take(&world, "6", &mary, 6, is("Mary", client)).await;
        let query = AuditQuery { subject: Some(mary.to_string()), ..AuditQuery::latest(100) };
        let entries = world.audit().entries(&query).await.expect("the log answers");
        let mut actions: Vec<_> = entries.iter().map(|entry| entry.action).collect();
        // All of the same instant: their order is that of their ids.
        actions.sort_unstable_by_key(|action| action.as_str());
        let expected =
            [AuditAction::UserCreated, AuditAction::UserDeleted, AuditAction::UserUpdated];
        assert_eq!(actions, expected);
    }

    /// What goes with a user is on record too, for whoever asks about the other party.
    async fn relationships_that_go_are_recorded(world: World) {
        let (mary, directory) = (id("user_mary"), world.directory());
        let role = Some(Role::Therapist);
        for (round, change) in [is("Mary", None), UserChange::Deleted].into_iter().enumerate() {
            let at = i64::try_from(round).expect("a small number") * 2;
            take(&world, &format!("{at}"), &mary, at, is("Mary", role)).await;
            directory.relate(&client(), &mary, by()).await.expect("Mary gets a client");
            directory.relate(&mary, &therapist(), by()).await.expect("and is one");
            let before = world.entries().await;
            assert_eq!(take(&world, &format!("{at}, then"), &mary, at + 1, change).await, TAKEN);
            let mut entries = world.entries().await;
            entries.retain(|entry| !before.contains(entry));
            let mut gone: Vec<_> = entries.iter().map(tell).collect();
            gone.sort_unstable();
            let of_client = "relationship.removed client_123/user_mary [client_123, user_mary]";
            let of_therapist =
                "relationship.removed user_mary/therapist_456 [therapist_456, user_mary]";
            let of_mary = "user.deleted user_mary [user_mary]";
            assert_eq!(gone, [of_client, of_therapist, of_mary]);
            assert!(entries.iter().all(|entry| entry.author == by().author && entry.at == by().at));
            for (person, expected) in [(client(), of_client), (therapist(), of_therapist)] {
                let query = AuditQuery { person: Some(person), ..AuditQuery::latest(100) };
                let mut seen = told(&world, &query).await;
                seen.retain(|told| told.starts_with("relationship.removed"));
                assert_eq!(seen, vec![expected; round + 1]);
            }
        }
    }

    /// However many they are.
    async fn a_therapist_goes_with_all_clients(world: World) {
        let (mary, directory) = (id("user_mary"), world.directory());
        take(&world, "1", &mary, 1, is("Mary", Some(Role::Therapist))).await;
        let clients: Vec<_> = (0..300).map(|n| id(&format!("user_{n}"))).collect();
        for client in &clients {
            directory.put_user(&user(client), by()).await.expect("a client");
            directory.relate(client, &mary, by()).await.expect("of Mary's");
        }
        let before = world.entries().await.len();
        take(&world, "2", &mary, 2, UserChange::Deleted).await;
        let entries = world.entries().await;
        assert_eq!(entries.len(), before + clients.len() + 1);
        let ended = entries.iter().filter(|entry| entry.action == AuditAction::RelationshipRemoved);
        let subjects: BTreeSet<_> = ended.map(|entry| entry.subject.id.clone()).collect();
        assert_eq!(subjects, clients.iter().map(|client| format!("{client}/{mary}")).collect());
    }
}

/// What was done to what, and whom it concerns.
fn tell(entry: &AuditEntry) -> String {
    let people: Vec<_> = entry.people.iter().map(UserId::as_str).collect();
    format!("{} {} [{}]", entry.action, entry.subject.id, people.join(", "))
}

async fn told(world: &World, query: &AuditQuery) -> Vec<String> {
    world.audit().entries(query).await.expect("the log answers").iter().map(tell).collect()
}

const TAKEN: NewsOutcome = NewsOutcome::Taken;

async fn take(
    world: &World,
    message: &str,
    user: &UserId,
    at: i64,
    change: UserChange,
) -> NewsOutcome {
    let taken =
        world.directory().take_news(&news(message, user, at, change), by(), &RandomIds).await;
    taken.expect("the directory takes news")
}

async fn find(world: &World, id: &UserId) -> Option<User> {
    world.directory().user(id).await.expect("the directory answers")
}

fn news(message: &str, user: &UserId, at: i64, change: UserChange) -> UserNews {
    let changed_at: DateTime<Utc> = now() + TimeDelta::seconds(at);
    UserNews {
        message: format!("msg_{message}"),
        user: user.clone(),
        changed_at,
        received_at: now(),
        change,
    }
}

fn is(name: &str, role: Option<Role>) -> UserChange {
    UserChange::Is(UserProfile {
        role,
        first_name: Some(text(name)),
        last_name: Some(text("Doe")),
        email: Some(address()),
        zone: Some(chrono_tz::Asia::Kathmandu),
    })
}

fn named(id: &UserId, name: &str, role: Role) -> User {
    User {
        id: id.clone(),
        role,
        first_name: text(name),
        last_name: text("Doe"),
        email: address(),
        zone: Some(chrono_tz::Asia::Kathmandu),
    }
}

fn address() -> Email {
    Email::new("doe@example.com").expect("an address")
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![vec![]];
    }
    let each = items.iter().enumerate().flat_map(|(place, &first)| {
        let mut rest = items.to_vec();
        rest.remove(place);
        permutations(&rest).into_iter().map(move |mut rest| {
            rest.insert(0, first);
            rest
        })
    });
    each.collect()
}
