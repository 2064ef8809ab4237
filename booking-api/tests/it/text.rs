//! JSON as text: the order of fields is a part of the contract.

/// JSON without the white space between its tokens.
pub(crate) fn minified(json: &str) -> String {
    let (mut within_string, mut escaped) = (false, false);
    let mut keep = |c: char| {
        if within_string {
            within_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            true
        } else {
            within_string = c == '"';
            !c.is_whitespace()
        }
    };
    json.chars().filter(|c| keep(*c)).collect()
}

/// What differs from run to run, if it has the form it must have: ids of meetings and slots become
/// `<meeting>` and `<avail>`, and instants within ten minutes of where tests start the clock
/// become `<now>`.
pub(crate) fn masked(json: &str) -> String {
    let mut rest = json;
    let mut masked = String::new();
    while let Some(colon) = rest.find(":\"") {
        let (before, value) = rest.split_at(colon + 2);
        let field = before.trim_end_matches(":\"").rsplit('"').nth(1).unwrap_or_default();
        let end = value.find('"').unwrap_or(value.len());
        masked.push_str(before);
        masked.push_str(mask(field, &value[..end]));
        rest = &value[end..];
    }
    masked + rest
}

fn mask<'a>(field: &str, value: &'a str) -> &'a str {
    let is_now = value.len() == 24 && value.starts_with("2024-01-01T12:0") && value.ends_with('Z');
    match (field, value.split_once('_')) {
        ("createdAt" | "updatedAt", _) if is_now => "<now>",
        ("id", Some(("meeting", suffix))) if is_typeid(suffix) => "<meeting>",
        ("id", Some(("avail", suffix))) if is_typeid(suffix) => "<avail>",
        _ => value,
    }
}

/// A UUIDv7 in Crockford's base 32.
fn is_typeid(suffix: &str) -> bool {
    suffix.len() == 26
        && suffix
            .bytes()
            .all(|b| b.is_ascii_digit() || (b.is_ascii_lowercase() && !b"ilou".contains(&b)))
}

#[test]
fn only_white_space_outside_strings_goes() {
    assert_eq!(minified(r#"{ "a b" : "c \" d",  "e": [ 1 ] }"#), r#"{"a b":"c \" d","e":[1]}"#);
}

#[test]
fn only_what_is_well_formed_is_masked() {
    let text = r#"{"id":"meeting_01hk2eaz0dfbrvp8g06bfqwfsd","createdAt":"2024-01-01T12:00:23.053Z","updatedAt":"2024-01-01T12:00:23Z","n":1}"#;
    let expected =
        r#"{"id":"<meeting>","createdAt":"<now>","updatedAt":"2024-01-01T12:00:23Z","n":1}"#;
    assert_eq!(masked(text), expected);
}
