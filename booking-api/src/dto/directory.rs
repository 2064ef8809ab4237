//! Users of the built-in directory.

use booking_core::{Email, Name, Role, User, UserId};
use chrono_tz::Tz;
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use crate::body::{plain, request_body};
use crate::wire::Wire;

request_body! {
    /// All that is known of a user.
    UserPutDto {
        /// What they are.
        role: Wire<Role>,
        /// First name.
        first_name: Wire<Name>,
        /// Last name.
        last_name: Wire<Name>,
        /// Where to write to them.
        email: Wire<Email>,
        /// The IANA zone in which a therapist's availability is meant; UTC when left out.
        #[oai(nullable)]
        time_zone: MaybeUndefined<Wire<Tz>>,
    }
}

/// A user.
#[derive(Debug, Object)]
#[oai(rename = "User", rename_all = "camelCase")]
pub(crate) struct UserDto {
    /// Who.
    id: Wire<UserId>,
    /// What they are.
    role: Wire<Role>,
    /// First name.
    first_name: Wire<Name>,
    /// Last name.
    last_name: Wire<Name>,
    /// Where to write to them.
    email: Wire<Email>,
    /// The IANA zone in which a therapist's availability is meant; null counts as UTC.
    #[oai(nullable)]
    time_zone: Option<Wire<Tz>>,
}

impl UserPutDto {
    pub(crate) fn into_user(self, id: UserId) -> User {
        User {
            id,
            role: self.role.0,
            first_name: self.first_name.0,
            last_name: self.last_name.0,
            email: self.email.0,
            zone: plain(self.time_zone.take()),
        }
    }
}

impl From<User> for UserDto {
    fn from(user: User) -> Self {
        Self {
            id: Wire(user.id),
            role: Wire(user.role),
            first_name: Wire(user.first_name),
            last_name: Wire(user.last_name),
            email: Wire(user.email),
            time_zone: user.zone.map(Wire),
        }
    }
}
