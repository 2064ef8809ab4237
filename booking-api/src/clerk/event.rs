//! Clerk's events, as far as they are about users
//! (<https://clerk.com/docs/guides/development/webhooks/overview>).

use booking_core::{Email, Name, Role, UserChange, UserId, UserNews, UserProfile};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    /// Milliseconds since 1970.
    timestamp: Option<i64>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct ClerkUser {
    id: String,
    first_name: Option<String>,
    last_name: Option<String>,
    primary_email_address_id: Option<String>,
    #[serde(default)]
    email_addresses: Vec<Address>,
    #[serde(default)]
    public_metadata: Value,
    /// Milliseconds since 1970.
    updated_at: Option<i64>,
}

#[derive(Deserialize)]
struct Address {
    id: Option<String>,
    email_address: String,
}

/// All that Clerk says of a user who is gone.
#[derive(Deserialize)]
struct Deleted {
    id: String,
}

/// `None` for events that are not about what the directory keeps. An error says what of an event of
/// a user cannot be read: Clerk tries again, and shows it.
pub(super) fn read(
    body: &[u8],
    message: &str,
    received_at: DateTime<Utc>,
) -> Result<Option<UserNews>, &'static str> {
    let event: Event =
        serde_json::from_slice(body).map_err(|_| "the body is no event of Clerk's")?;
    let instant = |millis: Option<i64>| millis.and_then(DateTime::from_timestamp_millis);
    let told_at = instant(event.timestamp).unwrap_or(received_at);
    let (id, changed_at, change) = match event.kind.as_str() {
        "user.created" | "user.updated" => {
            let user =
                ClerkUser::deserialize(&event.data).map_err(|_| "the user cannot be read")?;
            let changed_at = instant(user.updated_at).unwrap_or(told_at);
            (user.id.clone(), changed_at, UserChange::Is(profile(user)?))
        }
        "user.deleted" => {
            let user = Deleted::deserialize(&event.data).map_err(|_| "the user cannot be read")?;
            (user.id, told_at, UserChange::Deleted)
        }
        _ => return Ok(None),
    };
    let user = UserId::new(id).map_err(|_| "the user's id cannot be read")?;
    Ok(Some(UserNews { message: message.to_owned(), user, changed_at, received_at, change }))
}

/// A name, an address or a zone that cannot be read counts as not said, and what is not said stays. A
/// role is no such thing: who has none any more is removed, so one that cannot be read is an error.
fn profile(user: ClerkUser) -> Result<UserProfile, &'static str> {
    let role = role(&user.public_metadata)?;
    let zone = user.public_metadata.get("timeZone").and_then(Value::as_str);
    let zone: Option<Tz> = zone.and_then(|zone| zone.parse().ok());
    let primary = user.primary_email_address_id;
    let mut addresses = user.email_addresses.into_iter();
    let email = addresses.find(|address| address.id.is_some() && address.id == primary);
    Ok(UserProfile {
        role,
        first_name: user.first_name.map(|name| plain(&name)),
        last_name: user.last_name.map(|name| plain(&name)),
        email: email.and_then(|address| Email::new(address.email_address).ok()),
        zone,
    })
}

/// `None` only where nothing is said.
fn role(metadata: &Value) -> Result<Option<Role>, &'static str> {
    let role = match metadata {
        Value::Null => return Ok(None),
        Value::Object(fields) => fields.get("role").unwrap_or(&Value::Null),
        _ => return Err("public_metadata is no object"),
    };
    match role {
        Value::Null => return Ok(None),
        Value::String(role) => role.parse().ok(),
        _ => None,
    }
    .map(Some)
    .ok_or("public_metadata.role is none of client, therapist and admin")
}

/// As much of a name as a directory takes: a long one is no reason to know nothing of somebody.
fn plain(name: &str) -> Name {
    const MOST: usize = 200;
    let plain: String = name.chars().filter(|c| !c.is_control()).take(MOST).collect();
    Name::new(plain).unwrap_or_else(|_| Name::empty())
}
