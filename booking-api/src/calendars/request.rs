//! One question to a server of calendars, whoever it sends on to.

use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::client::ClientSetupError;
use super::failure::{FetchError, RefusedLocation};
use super::location::{Credentials, Location, is_of_web};
use crate::outbound::{self, Guard};

/// How often a server may send on.
const MAX_REDIRECTS: usize = 5;

/// Idle connections kept to one server.
const MAX_IDLE: usize = 2;

/// The web as far as it may be asked: over TLS wherever the guard lets it, and without it within the
/// networks that the operator allows.
pub(super) struct Web {
    secure: reqwest::Client,
    plain: reqwest::Client,
    guard: Guard,
    allowed: Guard,
}

/// What to ask.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) redirects: Redirects,
}

/// Whether a server may send on elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    Anywhere,
    /// What is sent is for that server alone.
    WithinOrigin,
}

/// Where to ask next.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    url: Url,
    /// Nobody has sent us on to another origin yet: only then are credentials sent.
    is_at_home: bool,
}

impl Web {
    pub(super) fn new(
        allowed_networks: Vec<IpNet>,
        longest_pause: Duration,
    ) -> Result<Self, ClientSetupError> {
        let guard = Guard::new(allowed_networks);
        let allowed = guard.within_allowed();
        let client = |guard: &Guard, https_only| {
            let builder = outbound::client(guard).map_err(ClientSetupError::of)?;
            builder
                .https_only(https_only)
                .read_timeout(longest_pause)
                .pool_max_idle_per_host(MAX_IDLE)
                .build()
                .map_err(ClientSetupError::of)
        };
        Ok(Self { secure: client(&guard, true)?, plain: client(&allowed, false)?, guard, allowed })
    }

    /// As far as the URL tells; the resolver looks again where it names a host.
    pub(super) fn check(&self, url: &Url) -> Result<(), RefusedLocation> {
        self.guard.check(url).map_err(|_| RefusedLocation::NotPublic)?;
        let is_secure = url.scheme() == "https";
        if is_secure || (!self.allowed.allows_none() && self.allowed.check(url).is_ok()) {
            Ok(())
        } else {
            Err(RefusedLocation::NotSecure)
        }
    }

    /// The answer of the last server that was asked, whatever it says.
    pub(super) async fn ask(&self, location: &Location, ask: &Ask) -> Result<Response, FetchError> {
        let mut hop = Hop { url: location.url().clone(), is_at_home: true };
        self.check(&hop.url)?;
        for _ in 0..=MAX_REDIRECTS {
            let credentials = location.credentials().filter(|_| hop.is_at_home);
            let response = self.ask_once(&hop.url, credentials, ask).await?;
            let Some(target) = redirect(&ask.method, response.status(), response.headers()) else {
                return Ok(response);
            };
            let next = hop.follow(target)?;
            if ask.redirects == Redirects::WithinOrigin && !next.is_at_home {
                return Ok(response);
            }
            self.check(&next.url).map_err(|refused| match refused {
                RefusedLocation::NotPublic => FetchError::from(refused),
                RefusedLocation::NotSecure => FetchError::InsecureRedirect,
            })?;
            hop = next;
        }
        Err(FetchError::TooManyRedirects)
    }

    async fn ask_once(
        &self,
        url: &Url,
        credentials: Option<&Credentials>,
        ask: &Ask,
    ) -> Result<Response, FetchError> {
        let client = if url.scheme() == "https" { &self.secure } else { &self.plain };
        let mut request = client
            .request(ask.method.clone(), url.clone())
            .headers(ask.headers.clone())
            // A little that is packed can be very much.
            .header(ACCEPT_ENCODING, "identity")
            .body(ask.body.clone());
        if let Some(known) = credentials {
            request = request.basic_auth(known.username(), Some(known.password()));
        }
        request.send().await.map_err(|error| FetchError::unanswered(&error))
    }
}

/// Where an answer sends on to, if it does. 303 means that the answer to *another* question is there.
fn redirect<'a>(
    method: &Method,
    status: StatusCode,
    headers: &'a HeaderMap,
) -> Option<&'a HeaderValue> {
    let is_redirect = match status {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::SEE_OTHER => *method == Method::GET,
        _ => false,
    };
    headers.get(LOCATION).filter(|_| is_redirect)
}

impl Hop {
    fn follow(&self, target: &HeaderValue) -> Result<Self, FetchError> {
        let target = target.to_str().ok().and_then(|text| self.url.join(text).ok());
        let url = target.filter(is_of_web).ok_or(FetchError::Unreadable)?;
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(FetchError::InsecureRedirect);
        }
        let is_at_home = self.is_at_home && url.origin() == self.url.origin();
        Ok(Self { url, is_at_home })
    }
}

/// All of an answer's body, as long as it is not longer than this.
pub(super) async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, FetchError> {
    let is_plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !response.headers().get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(FetchError::Unreadable);
    }
    let announced = response.content_length().map(usize::try_from);
    if announced.is_some_and(|length| length.is_ok_and(|length| length > most)) {
        return Err(FetchError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| FetchError::unanswered(&error))?
    {
        if chunk.len() > most - body.len() {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_followed_and_credentials_stay() {
        let table = [
            ("/b", Ok(("https://one.example/b", true))),
            ("b?c", Ok(("https://one.example/d/b?c", true))),
            ("//one.example:443/", Ok(("https://one.example/", true))),
            ("https://one.example:8443/", Ok(("https://one.example:8443/", false))),
            ("https://two.example/a", Ok(("https://two.example/a", false))),
            ("//two.example", Ok(("https://two.example/", false))),
            ("http://one.example/a", Err(FetchError::InsecureRedirect)),
            ("https://jane:secret@one.example/", Err(FetchError::Unreadable)),
            ("ftp://one.example/", Err(FetchError::Unreadable)),
            ("file:///etc/passwd", Err(FetchError::Unreadable)),
            ("data:text/calendar,BEGIN:VCALENDAR", Err(FetchError::Unreadable)),
            ("https://", Err(FetchError::Unreadable)),
        ];
        let home = Hop { url: "https://one.example/d/a".parse().unwrap(), is_at_home: true };
        for (target, expected) in table {
            let expected = expected
                .map(|(url, is_at_home)| Hop { url: url.parse::<Url>().unwrap(), is_at_home });
            assert_eq!(home.follow(&target.parse().unwrap()), expected, "{target}");
        }
        let latin = HeaderValue::from_bytes(b"/\xe4").unwrap();
        assert_eq!(home.follow(&latin), Err(FetchError::Unreadable));
    }

    #[test]
    fn who_was_sent_away_brings_no_credentials_back() {
        let home = Hop { url: "http://10.0.0.1/a".parse().unwrap(), is_at_home: true };
        let away = home.follow(&"https://two.example/".parse().unwrap()).unwrap();
        assert!(!away.is_at_home);
        let back = Hop { url: home.url.clone(), ..away.clone() };
        assert!(!back.follow(&"/b".parse().unwrap()).unwrap().is_at_home);
        let other = away.follow(&"https://one.example/".parse().unwrap()).unwrap();
        assert!(!other.is_at_home);
    }

    #[test]
    fn only_answers_that_send_on_do() {
        let headers: HeaderMap = [(LOCATION, "/b".parse().unwrap())].into_iter().collect();
        let report = Method::from_bytes(b"REPORT").unwrap();
        for (status, for_get, for_report) in [
            (200, false, false),
            (201, false, false),
            (300, false, false),
            (301, true, true),
            (302, true, true),
            (303, true, false),
            (304, false, false),
            (305, false, false),
            (307, true, true),
            (308, true, true),
            (401, false, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            for (method, expected) in [(&Method::GET, for_get), (&report, for_report)] {
                assert_eq!(redirect(method, status, &headers).is_some(), expected, "{status}");
                assert_eq!(redirect(method, status, &HeaderMap::new()), None);
            }
        }
    }
}
