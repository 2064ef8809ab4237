//! Who can become whose client.

use std::collections::HashMap;

use crate::access::Role;
use crate::directory::User;
use crate::id::UserId;
use crate::refusal::Refusal;

/// Whether `client` can become a client of `therapist`, by what the directory knows of the two. Any user
/// may be somebody's client: a therapist too.
///
/// Stores that keep a directory ask this in the transaction that [relates](crate::DirectoryAdmin::relate)
/// them.
///
/// # Errors
/// [`Refusal::Invalid`] for somebody who would be their own client, and for a therapist who is none;
/// [`Refusal::UserNotFound`].
pub fn check_relationship(
    client: &UserId,
    therapist: &UserId,
    users: &HashMap<UserId, User>,
) -> Result<(), Refusal> {
    let invalid = |detail| Refusal::Invalid { field: "therapistId", detail };
    if client == therapist {
        return Err(invalid("is the client"));
    }
    users.get(client).ok_or(Refusal::UserNotFound)?;
    let therapist = users.get(therapist).ok_or(Refusal::UserNotFound)?;
    if therapist.role == Role::Therapist { Ok(()) } else { Err(invalid("is not a therapist")) }
}
