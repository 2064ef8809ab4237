//! What a server says of a calendar as it is now, as a text that others keep and give back.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest text, in bytes, and the longest word of a server in it.
const MAX_BYTES: usize = 1_024;
const MAX_SAID_BYTES: usize = 400;

/// What was known; nothing, if it was written by somebody else, or of another kind of calendar.
pub(super) fn read<T: DeserializeOwned + Default>(validators: Option<&str>) -> T {
    validators.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// `None` when there is nothing to ask with.
pub(super) fn write<T: Serialize + Default + PartialEq>(known: &T) -> Option<String> {
    let is_something = *known != T::default();
    let text = is_something.then(|| serde_json::to_string(known).ok()).flatten()?;
    (text.len() <= MAX_BYTES).then_some(text)
}

/// A word of a server, if it is one that can be kept.
pub(super) fn said(word: &str) -> Option<String> {
    let is_good = !word.is_empty() && word.len() <= MAX_SAID_BYTES;
    (is_good && !word.contains(char::is_control)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_short_and_of_its_kind() {
        type Words = (Option<String>, Option<String>);
        let quotes = "\"".repeat(MAX_SAID_BYTES);
        for (word, is_kept) in [
            ("\"abc\"", true),
            ("W/\"ä\"", true),
            (&quotes, true),
            ("", false),
            ("a\r\nb", false),
            (&format!("{quotes}x"), false),
        ] {
            assert_eq!(said(word).is_some(), is_kept, "{word}");
        }
        let words: Words = (said("one"), None);
        let text = write(&words).expect("something");
        assert_eq!(read::<Words>(Some(&text)), words);
        assert_eq!(write(&Words::default()), None);
        assert_eq!(write(&(said(&quotes), said(&quotes))), None, "longer than is kept");
        for other in [None, Some(""), Some("{}"), Some("[1, 2]"), Some("\"abc\"")] {
            assert_eq!(read::<Words>(other), Words::default(), "{other:?}");
        }
    }
}
