//! The demo directory of the `dev` server (contract, "The command").

use booking_core::{
    Actor, By, ChangeError, Clock, DirectoryAdmin, Email, RandomIds, Role, SystemName, Text, User,
    UserId,
};

use super::Failure;

const USERS: [(&str, Role, &str, &str); 5] = [
    ("client_123", Role::Client, "John", "Doe"),
    ("client_124", Role::Client, "Maria", "Garcia"),
    ("therapist_456", Role::Therapist, "Jane", "Smith"),
    ("therapist_457", Role::Therapist, "Amir", "Haddad"),
    ("admin_1", Role::Admin, "Ada", "Byron"),
];

/// Whom the audit log names for it.
pub(super) const DEMO: SystemName = SystemName::of("demo");

const RELATIONSHIPS: [(&str, &str); 2] =
    [("client_123", "therapist_456"), ("client_124", "therapist_456")];

/// Everybody in it.
pub(super) fn actors() -> Result<Vec<Actor>, Failure> {
    let actor = |(id, role, ..): (&str, Role, &str, &str)| Ok(Actor { id: UserId::new(id)?, role });
    USERS.into_iter().map(actor).collect()
}

/// Puts them there; users and relationships that are there already stay as they are. Returns whether
/// this is the first time.
pub(super) async fn fill(
    directory: &dyn DirectoryAdmin,
    clock: &dyn Clock,
) -> Result<bool, Failure> {
    let by = || By::system(DEMO, clock.now(), &RandomIds);
    let mut is_first = true;
    for (id, role, first, last) in USERS {
        let id = UserId::new(id)?;
        if directory.user(&id).await?.is_some() {
            is_first = false;
            continue;
        }
        let email = format!("{}.{}@example.com", first.to_lowercase(), last.to_lowercase());
        let user = User {
            id,
            role,
            first_name: Text::new(first)?,
            last_name: Text::new(last)?,
            email: Email::new(email)?,
            zone: None,
        };
        directory.put_user(&user, by()).await?;
    }
    for (client, therapist) in RELATIONSHIPS {
        let (client, therapist) = (UserId::new(client)?, UserId::new(therapist)?);
        match directory.relate(&client, &therapist, by()).await {
            // An admin has made them something else since.
            Ok(()) | Err(ChangeError::Declined(_)) => {}
            Err(ChangeError::Store(error)) => return Err(error.into()),
        }
    }
    Ok(is_first)
}
