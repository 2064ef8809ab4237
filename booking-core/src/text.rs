//! Text that people type: bounded, and free of control characters.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// A meeting's title: at most 200 characters.
pub type Title = Text<200>;
/// A meeting's description: at most 5 000 characters.
pub type Description = Text<5_000>;
/// Notes on an availability slot: at most 2 000 characters.
pub type Notes = Text<2_000>;
/// Why a meeting was moved or cancelled: at most 1 000 characters.
pub type Reason = Text<1_000>;
/// A therapist's notes on a session, shown to them alone: at most 20 000 characters.
pub type SessionNotes = Text<20_000>;
/// A first or last name: at most 200 characters.
pub type Name = Text<200>;

/// At most `MAX` characters (Unicode scalar values), with no control character but newline and tab.
///
/// ```
/// use booking_core::{Text, TextError};
///
/// assert_eq!(Text::<5>::new("tea\n")?.as_str(), "tea\n");
/// assert_eq!(Text::<5>::new("coffee"), Err(TextError::TooLong { max: 5 }));
/// assert_eq!(Text::<5>::new("\0"), Err(TextError::ControlCharacter));
/// # Ok::<(), TextError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Text<const MAX: usize>(String);

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// More characters than the field takes.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The most it takes.
        max: usize,
    },
    /// A control character other than newline or tab.
    #[error("must not contain control characters other than newline and tab")]
    ControlCharacter,
}

impl<const MAX: usize> Text<MAX> {
    /// Checks the length and the characters.
    ///
    /// # Errors
    /// [`TextError`] says which of the two is wrong.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.chars().nth(MAX).is_some() {
            Err(TextError::TooLong { max: MAX })
        } else if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            Err(TextError::ControlCharacter)
        } else {
            Ok(Self(text))
        }
    }

    /// No text at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self(String::new())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What people type does not belong in logs: only its length is shown.
impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

/// Where a video or audio session takes place: an absolute `http` or `https` URL of at most 2 000
/// characters, with no user name or password in it.
///
/// ```
/// use booking_core::MeetingUrl;
///
/// assert!(MeetingUrl::new("https://meet.example.com/room/1").is_ok());
/// assert!(MeetingUrl::new("javascript:alert(1)").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MeetingUrl(String);

/// A text that is no meeting URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an absolute http or https URL of at most {} characters, without user or password",
    MeetingUrl::MAX_CHARS
)]
pub struct InvalidUrl;

impl MeetingUrl {
    /// The longest URL, in characters.
    pub const MAX_CHARS: usize = 2_000;

    /// Checks the length, the form (WHATWG URL), the scheme, and that nobody signs in by it.
    ///
    /// # Errors
    /// [`InvalidUrl`] when any of them is off.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidUrl> {
        let text = text.into();
        // What the URL parser would silently strip (white space, control characters) is refused.
        let plain = text.len() <= Self::MAX_CHARS && text.bytes().all(|b| b.is_ascii_graphic());
        let url = plain.then(|| Url::parse(&text).ok()).flatten().ok_or(InvalidUrl)?;
        let web = matches!(url.scheme(), "http" | "https");
        // The parser forgives `https:example.com`, which a page would take for a path of its own.
        let absolute = text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
        let anonymous = url.username().is_empty() && url.password().is_none();
        if web && absolute && anonymous { Ok(Self(text)) } else { Err(InvalidUrl) }
    }

    /// The URL as it came in.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A meeting's URL lets people in: it does not belong in logs.
impl fmt::Debug for MeetingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeetingUrl(…)")
    }
}

impl TryFrom<String> for MeetingUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        Self::new(text)
    }
}

impl From<MeetingUrl> for String {
    fn from(url: MeetingUrl) -> Self {
        url.0
    }
}
