//! `/dev/users`: the demo users of the `dev` server, with a token for each, so that a page of this
//! server can let somebody be one of them.

use std::sync::Arc;
use std::time::Duration;

use booking_core::{Actor, DirectoryAdmin, Role, User};
use chrono_tz::Tz;
use poem::http::{HeaderMap, HeaderName, HeaderValue, header};
use poem::{Endpoint, Request, Response, Result};
use serde::Serialize;

use super::demo;
use super::dev::is_this_machine;
use super::issuer::DevIssuer;
use crate::problem::{Code, Problem};
use crate::spec::answer;

/// How long these tokens are valid: pages come back for new ones.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Where a request comes from, as browsers say it (Fetch Metadata); no page can change it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Answers programs of this machine and pages of this very server, and no other page, though it may
/// call the API: whoever reads this can be anybody.
#[derive(Clone)]
pub(super) struct UsersEndpoint {
    pub(super) directory: Arc<dyn DirectoryAdmin>,
    pub(super) issuer: Arc<DevIssuer>,
}

/// One of them, as the directory knows them by now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DemoUser {
    id: String,
    role: &'static str,
    first_name: String,
    last_name: String,
    time_zone: &'static str,
    token: String,
}

impl Endpoint for UsersEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if !is_ours(request.headers()) {
            return Err(Problem::new(Code::Forbidden, "only pages of this server may ask").into());
        }
        let mut users = Vec::new();
        for actor in demo::actors().map_err(Problem::internal)? {
            if let Some(user) = self.directory.user(&actor.id).await.map_err(Problem::from)? {
                users.push(self.demo_user(user)?);
            }
        }
        let mut response =
            answer("application/json", serde_json::to_string(&users).map_err(Problem::internal)?);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        Ok(response)
    }
}

impl UsersEndpoint {
    fn demo_user(&self, user: User) -> Result<DemoUser, Problem> {
        let role: Role = user.role;
        let actor = Actor { id: user.id, role };
        let token = self.issuer.token(&actor, TOKEN_LIFETIME).map_err(Problem::internal)?;
        Ok(DemoUser {
            id: actor.id.to_string(),
            role: role.as_str(),
            first_name: user.first_name.into(),
            last_name: user.last_name.into(),
            time_zone: user.zone.unwrap_or(Tz::UTC).name(),
            token,
        })
    }
}

/// Whether nobody but a page of this server, or a program, can have sent this. A name that merely
/// leads to this machine is somebody else's (DNS rebinding).
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or(""));
    let Some(host) = text(header::HOST).filter(|host| is_this_machine(host)) else {
        return false;
    };
    let same_origin = text(header::ORIGIN).is_none_or(|origin| origin == format!("http://{host}"));
    let same_site = text(FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    same_origin && same_site
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_server_s_own_pages_and_programs_may_ask() {
        let ask = |host: &str, origin: &str, site: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in
                [(header::HOST, host), (header::ORIGIN, origin), (FETCH_SITE, site)]
            {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_str(value).expect("a header"));
                }
            }
            is_ours(&headers)
        };
        assert!(ask("127.0.0.1:5000", "", ""), "curl");
        assert!(ask("localhost:5000", "", "same-origin"), "a page of this server");
        assert!(ask("[::1]:5000", "http://[::1]:5000", "same-origin"));
        assert!(ask("localhost:5000", "", "none"), "typed into the address bar");

        assert!(!ask("evil.example:5000", "", "same-origin"), "a name that leads here");
        assert!(!ask("", "", ""));
        assert!(!ask("localhost:5000", "http://localhost:3000", ""), "another server here");
        assert!(!ask("localhost:5000", "", "same-site"), "the same, without an Origin");
        assert!(!ask("localhost:5000", "https://evil.example", "cross-site"));
        assert!(!ask("localhost:5000", "", "cross-site"), "an image, a script, a link");
        assert!(!ask("localhost:5000", "null", "cross-site"), "a sandboxed frame");
    }
}
