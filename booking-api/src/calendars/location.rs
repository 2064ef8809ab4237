//! Where a calendar is, and what opens it.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// The longest URL, user name and password, in characters.
const MAX_URL_CHARS: usize = 2_000;
const MAX_CREDENTIAL_CHARS: usize = 500;

/// Where a calendar is: an `https` or `http` URL without credentials or fragment, and the credentials
/// beside it.
///
/// ```
/// use booking_api::calendars::Location;
///
/// let location = Location::new("webcal://calendars.example.com/jane.ics?key=secret")?;
/// assert_eq!(location.url().scheme(), "https");
/// assert_eq!(format!("{location:?}"), "Location(calendars.example.com)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Location {
    url: Url,
    credentials: Option<Credentials>,
}

/// What a server asks whoever comes for (HTTP's Basic).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
}

/// The text is no URL of a calendar; it is not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an absolute https or webcal URL of at most {MAX_URL_CHARS} characters, without \
     credentials or fragment"
)]
pub struct InvalidLocation;

/// The two are no credentials; they are not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredentials {
    /// Of the user name.
    #[error(
        "must be 1 to {MAX_CREDENTIAL_CHARS} characters, none of them a colon or a control character"
    )]
    Username,
    /// Of the password.
    #[error("must be at most {MAX_CREDENTIAL_CHARS} characters, none of them a control character")]
    Password,
}

impl Location {
    /// A calendar that is there for whoever knows the URL. `webcal` stands for `https`.
    ///
    /// # Errors
    /// [`InvalidLocation`] when it is no such URL. Whether anything is sent there is for
    /// [`Client::check`](super::Client::check) to say.
    pub fn new(text: &str) -> Result<Self, InvalidLocation> {
        // What the URL parser would silently strip (white space, control characters) is refused.
        let is_plain = text.len() <= MAX_URL_CHARS && text.bytes().all(|b| b.is_ascii_graphic());
        let (scheme, rest) = text.split_once("://").ok_or(InvalidLocation)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" | "webcal" | "webcals" => "https",
            "http" => "http",
            _ => return Err(InvalidLocation),
        };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| InvalidLocation)?;
        if is_plain && is_of_web(&url) && url.fragment().is_none() {
            Ok(Self { url, credentials: None })
        } else {
            Err(InvalidLocation)
        }
    }

    /// The same calendar, which these open.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// All of where it is; not for logs, since it is often all that it takes to read the calendar.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// What opens it, if it takes anything.
    #[must_use]
    pub const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// What has this name in a collection that is here.
    pub(super) fn member(&self, name: &str) -> Self {
        let mut member = self.clone();
        if let Ok(mut path) = member.url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
        member
    }

    /// Whether both are one collection, whoever opens it, and with a slash at its end or without.
    pub(super) fn leads_where(&self, other: &Self) -> bool {
        self.member("").url == other.member("").url
    }

    /// What may be shown of it: `calendars.example.com`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// Without a user name in it, which the HTTP client would send as credentials.
pub(super) fn is_of_web(url: &Url) -> bool {
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    matches!(url.scheme(), "http" | "https") && is_anonymous
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({})", self.host())
    }
}

impl Credentials {
    /// A user name and a password.
    ///
    /// # Errors
    /// [`InvalidCredentials`] when they cannot be sent (RFC 7617), or are too long.
    pub fn new(username: String, password: String) -> Result<Self, InvalidCredentials> {
        let is_sendable = |text: &str| {
            text.chars().count() <= MAX_CREDENTIAL_CHARS && !text.chars().any(char::is_control)
        };
        if username.is_empty() || username.contains(':') || !is_sendable(&username) {
            return Err(InvalidCredentials::Username);
        }
        if !is_sendable(&password) {
            return Err(InvalidCredentials::Password);
        }
        Ok(Self { username, password })
    }

    /// Who comes.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// What they know.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// A location as it is sealed.
#[derive(Serialize, Deserialize)]
struct Written {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    password: Option<String>,
}

impl From<Location> for Written {
    fn from(location: Location) -> Self {
        let credentials = location.credentials.map(|known| (known.username, known.password));
        let (username, password) = credentials.unzip();
        Self { url: location.url.into(), username, password }
    }
}

impl TryFrom<Written> for Location {
    type Error = InvalidLocation;

    fn try_from(written: Written) -> Result<Self, InvalidLocation> {
        // Not `new`: a URL may be longer once it is parsed than it was before.
        let url = Url::parse(&written.url).ok().filter(is_of_web).ok_or(InvalidLocation)?;
        let credentials = match (written.username, written.password) {
            (Some(username), Some(password)) => {
                Some(Credentials::new(username, password).map_err(|_| InvalidLocation)?)
            }
            (None, None) => None,
            _ => return Err(InvalidLocation),
        };
        Ok(Self { url, credentials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_url_that_says_nothing_else() {
        let good = [
            ("https://example.com", "https://example.com/"),
            ("HTTPS://Example.com/A.ics?key=1", "https://example.com/A.ics?key=1"),
            ("webcal://example.com/a.ics", "https://example.com/a.ics"),
            ("webcals://example.com:8443/a", "https://example.com:8443/a"),
            ("Webcal://example.com/webcal://x", "https://example.com/webcal://x"),
            ("http://10.0.0.1:5232/jane/work/", "http://10.0.0.1:5232/jane/work/"),
            ("https://0x7f.1/", "https://127.0.0.1/"),
        ];
        for (text, url) in good {
            let location = Location::new(text).expect(text);
            assert_eq!(location.url().as_str(), url);
            let json = serde_json::to_string(&location).expect("JSON");
            assert_eq!(serde_json::from_str::<Location>(&json).expect("the same"), location);
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL_CHARS));
        let bad = [
            "",
            "example.com/a.ics",
            "https:example.com",
            "https://",
            "ftp://example.com/a.ics",
            "file:///etc/passwd",
            "webcal:example.com",
            "javascript://example.com/%0aalert(1)",
            "https://jane@example.com/a.ics",
            "https://jane:secret@example.com/a.ics",
            "https://:secret@example.com/",
            "https://example.com/a.ics#part",
            "https://example.com/a b.ics",
            " https://example.com/",
            "https://example.com/\n",
            "https://exämple.com/",
            &long,
        ];
        for text in bad {
            assert_eq!(Location::new(text), Err(InvalidLocation), "{text}");
        }
    }

    #[test]
    fn a_collection_has_members_with_and_without_a_slash() {
        for collection in ["https://example.com/jane/work", "https://example.com/jane/work/"] {
            let member = Location::new(collection).expect("a location").member("meeting_1.ics");
            assert_eq!(member.url().as_str(), "https://example.com/jane/work/meeting_1.ics");
        }
        let root = Location::new("https://example.com").expect("a location").member("a/b");
        assert_eq!(root.url().as_str(), "https://example.com/a%2Fb");
    }

    #[test]
    fn credentials_can_be_sent_and_hide() {
        let new = |name: &str, word: &str| Credentials::new(name.to_owned(), word.to_owned());
        let long = "x".repeat(MAX_CREDENTIAL_CHARS + 1);
        let credentials = new("jané", "pass:wörd").expect("credentials");
        assert!(new("jane", "").is_ok());
        for name in ["", "a:b", "a\n", &long] {
            assert_eq!(new(name, "word"), Err(InvalidCredentials::Username), "{name}");
        }
        for word in ["a\r\nb", "\0", &long] {
            assert_eq!(new("jane", word), Err(InvalidCredentials::Password), "{word}");
        }
        let location = Location::new("https://example.com/secret").expect("a location");
        let location = location.with_credentials(credentials.clone());
        let shown = format!("{location:?} {credentials:?}");
        assert_eq!(shown, "Location(example.com) Credentials(…)");
        let json = serde_json::to_string(&location).expect("JSON");
        assert_eq!(serde_json::from_str::<Location>(&json).expect("the same"), location);
    }
}
