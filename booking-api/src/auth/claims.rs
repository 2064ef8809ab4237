//! What is read of a token.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use booking_core::{Role, UserId};
use serde::Deserialize;
use serde_json::Value;

/// Where the role is, unless somebody says otherwise: where Clerk's customised session tokens have
/// it, and where tokens of other issuers do.
const ROLE_CLAIMS: [&str; 3] = ["metadata.role", "public_metadata.role", "role"];

/// The only algorithm there is, whatever a header says.
const ALGORITHM: &str = "RS256";

/// The head of a token, before anything is proven. Other parameters are not looked at: a key, or
/// the address of one (`jwk`, `jku`, `x5c`, `x5u`), is the issuer's to say, and not the token's.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    typ: Option<String>,
    pub(super) kid: Option<String>,
    /// What the token wants to be understood, of which nothing is (RFC 7515, section 4.1.11).
    crit: Option<Value>,
}

impl Header {
    /// Reads it, and refuses what is none of a session token's.
    pub(super) fn of(token: &str) -> Result<Self, String> {
        let unreadable = || "not a JSON Web Token".to_owned();
        let (header, _) = token.split_once('.').ok_or_else(unreadable)?;
        let json = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| unreadable())?;
        let header: Self = serde_json::from_slice(&json).map_err(|_| unreadable())?;
        if header.alg != ALGORITHM {
            return Err("the algorithm is not RS256".to_owned());
        }
        if header.crit.is_some() {
            return Err("it wants something understood that nobody here does (crit)".to_owned());
        }
        // The same issuer signs tokens of other kinds with the same key, such as `at+jwt`.
        if !header.typ.as_ref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT")) {
            return Err("a token of another kind (typ)".to_owned());
        }
        Ok(header)
    }
}

/// Where tokens have the role: the first of these places that is not empty.
#[derive(Clone)]
pub(super) struct RoleClaims(Vec<String>);

impl Default for RoleClaims {
    fn default() -> Self {
        Self::new(ROLE_CLAIMS)
    }
}

/// As JSON Pointers.
impl fmt::Debug for RoleClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl RoleClaims {
    /// Names with dots between them, or JSON Pointers (RFC 6901), which begin with a slash.
    pub(super) fn new<T: AsRef<str>>(places: impl IntoIterator<Item = T>) -> Self {
        let pointer = |place: T| match place.as_ref() {
            pointer if pointer.starts_with('/') => pointer.to_owned(),
            names => format!("/{}", names.replace('.', "/")),
        };
        Self(places.into_iter().map(pointer).collect())
    }

    fn read(&self, claims: &Value) -> Result<Option<Role>, String> {
        let found = self.0.iter().find_map(|place| claims.pointer(place).filter(|v| !v.is_null()));
        let Some(found) = found else { return Ok(None) };
        let word = found.as_str().ok_or_else(|| "its role is not a text".to_owned())?;
        word.parse().map(Some).map_err(|_| "its role is none of ours".to_owned())
    }
}

/// What a token says, once its signature, issuer and times have been checked.
pub(super) struct Claims {
    pub(super) id: UserId,
    /// `None` when it does not say.
    pub(super) role: Option<Role>,
    /// Seconds since 1970, with a fraction maybe (RFC 7519, section 2).
    pub(super) exp: f64,
}

impl Claims {
    /// `parties` are those whom the token may be made out for; empty for any.
    pub(super) fn read(
        claims: &Value,
        parties: &[String],
        roles: &RoleClaims,
    ) -> Result<Self, String> {
        let azp = claims.get("azp").and_then(Value::as_str);
        if !parties.is_empty() && !azp.is_some_and(|azp| parties.iter().any(|ours| ours == azp)) {
            return Err("made out for another party (azp)".to_owned());
        }
        // Clerk, version 2: `pending` until the user has done what they have to, such as a second
        // factor. Version 1 has no such claim.
        if claims.get("sts").is_some_and(|sts| sts != "active") {
            return Err("the session is not active (sts)".to_owned());
        }
        let sub = claims.get("sub").and_then(Value::as_str).ok_or("no subject")?;
        let id = UserId::new(sub).map_err(|error| error.to_string())?;
        let exp = claims.get("exp").and_then(Value::as_f64).ok_or("no expiry")?;
        Ok(Self { id, role: roles.read(claims)?, exp })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_place_that_is_not_empty_has_the_role() {
        let default = RoleClaims::default();
        let own = RoleClaims::new(["/https:~1~1example.com~1role", "app_metadata.roles.0"]);
        let table = [
            (&default, json!({"metadata": {"role": "client"}}), Ok(Some(Role::Client))),
            (&default, json!({"public_metadata": {"role": "admin"}}), Ok(Some(Role::Admin))),
            (&default, json!({"role": "therapist"}), Ok(Some(Role::Therapist))),
            (
                &default,
                json!({"metadata": {"role": "client"}, "role": "admin"}),
                Ok(Some(Role::Client)),
            ),
            (&default, json!({"metadata": {"role": null}, "role": "admin"}), Ok(Some(Role::Admin))),
            (&default, json!({"metadata": {}}), Ok(None)),
            (&default, json!({"metadata": null}), Ok(None)),
            (&default, json!({"metadata": "role"}), Ok(None)),
            (&default, json!({}), Ok(None)),
            (&default, json!({"metadata": {"role": "owner"}, "role": "admin"}), Err(())),
            (&default, json!({"metadata": {"role": ""}, "role": "admin"}), Err(())),
            (&default, json!({"metadata": {"role": ["admin"]}}), Err(())),
            (&default, json!({"metadata": {"role": true}}), Err(())),
            (&own, json!({"https://example.com/role": "client"}), Ok(Some(Role::Client))),
            (&own, json!({"app_metadata": {"roles": ["admin", "client"]}}), Ok(Some(Role::Admin))),
            (&own, json!({"role": "admin"}), Ok(None)),
        ];
        for (places, claims, expected) in table {
            assert_eq!(places.read(&claims).map_err(|_| ()), expected, "{claims}");
        }
    }
}
