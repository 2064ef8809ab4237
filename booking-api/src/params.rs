//! Parameters in headers and queries that have a syntax of their own.
//!
//! Their schemas have no examples: Swagger UI would fill them in, and send them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use booking_core::{
    Bounded, ExpectedVersion, IdempotencyKey, MeetingId, MeetingStatus, Place, Things,
};
use chrono::{DateTime, Utc};
use poem::http::HeaderMap;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;
use uuid::Uuid;

use crate::problem::{FieldError, Problem};
use crate::wire::OnWire;

/// Reads a header, all its lines together; lines that are not ASCII are an error and not ignored.
trait FromHeader: Sized {
    fn schema() -> MetaSchema;
    fn from_header(text: Option<&str>) -> Result<Self, String>;
}

/// Makes a header known to poem-openapi.
macro_rules! header_param {
    ($ty:ident) => {
        impl<'a> ApiExtractor<'a> for $ty {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
            const PARAM_IS_REQUIRED: bool = false;
            type ParamType = ();
            type ParamRawType = ();

            fn param_in() -> Option<MetaParamIn> {
                Some(MetaParamIn::Header)
            }

            fn param_schema_ref() -> Option<MetaSchemaRef> {
                Some(MetaSchemaRef::Inline(Box::new(<Self as FromHeader>::schema())))
            }

            async fn from_request(
                request: &'a Request,
                _: &mut RequestBody,
                options: ExtractParamOptions<()>,
            ) -> Result<Self> {
                let text = whole_header(request.headers(), options.name);
                let parsed = text.and_then(|text| Self::from_header(text.as_deref()));
                let invalid = |detail| Problem::invalid(vec![FieldError::at(options.name, detail)]);
                Ok(parsed.map_err(invalid)?)
            }
        }
    };
}

fn whole_header(headers: &HeaderMap, name: &str) -> Result<Option<String>, String> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str());
    let lines: Vec<&str> =
        lines.collect::<Result<_, _>>().map_err(|_| "must be ASCII".to_owned())?;
    Ok((!lines.is_empty()).then(|| lines.join(", ")))
}

/// `If-Match` (RFC 9110, section 13.1.1).
#[derive(Debug)]
pub(crate) struct IfMatch(pub(crate) ExpectedVersion);

header_param!(IfMatch);

impl FromHeader for IfMatch {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    /// Weak tags and tags that we never sent are well-formed, and match nothing.
    fn from_header(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text.map(str::trim) else { return Ok(Self(ExpectedVersion::Any)) };
        if text == "*" {
            return Ok(Self(ExpectedVersion::Any));
        }
        let tags =
            entity_tags(text).ok_or("must be * or a list of entity tags in double quotes")?;
        let versions = tags.into_iter().filter_map(|tag| match tag {
            EntityTag::Strong(opaque) => version_of(opaque),
            EntityTag::Weak(_) => None,
        });
        Ok(Self(ExpectedVersion::OneOf(versions.collect())))
    }
}

/// `If-None-Match` (RFC 9110, section 13.1.2).
#[derive(Debug)]
pub(crate) enum IfNoneMatch {
    /// The header is not there: nobody has anything.
    Nothing,
    /// `*`: whatever there is.
    Anything,
    /// What is between the quotes of each tag.
    OneOf(Vec<String>),
}

header_param!(IfNoneMatch);

impl FromHeader for IfNoneMatch {
    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    /// Tags are compared weakly: it makes no difference whether they are weak.
    fn from_header(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text.map(str::trim) else { return Ok(Self::Nothing) };
        if text == "*" {
            return Ok(Self::Anything);
        }
        let tags =
            entity_tags(text).ok_or("must be * or a list of entity tags in double quotes")?;
        let opaque = tags.into_iter().map(|tag| match tag {
            EntityTag::Strong(opaque) | EntityTag::Weak(opaque) => opaque.to_owned(),
        });
        Ok(Self::OneOf(opaque.collect()))
    }
}

impl IfNoneMatch {
    /// Whether the caller has what this tag, in its quotes, stands for.
    pub(crate) fn names(&self, etag: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Anything => true,
            Self::OneOf(tags) => tags.iter().any(|tag| tag == etag.trim_matches('"')),
        }
    }
}

enum EntityTag<'a> {
    Strong(&'a str),
    Weak(&'a str),
}

/// A list of entity tags (RFC 9110, sections 5.6.1 and 8.8.3); `None` when it is none.
fn entity_tags(mut rest: &str) -> Option<Vec<EntityTag<'_>>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(tags);
        }
        let (weak, tag) = rest.strip_prefix("W/").map_or((false, rest), |tag| (true, tag));
        let (opaque, after) = tag.strip_prefix('"')?.split_once('"')?;
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        tags.push(if weak { EntityTag::Weak(opaque) } else { EntityTag::Strong(opaque) });
    }
}

/// The version that we sent as this tag, to the letter.
fn version_of(opaque: &str) -> Option<u64> {
    opaque.parse().ok().filter(|version: &u64| version.to_string() == opaque)
}

/// `Idempotency-Key`: a quoted string (RFC 8941, section 3.3.3) or a bare token.
#[derive(Debug)]
pub(crate) struct IdempotencyHeader(pub(crate) Option<IdempotencyKey>);

header_param!(IdempotencyHeader);

impl FromHeader for IdempotencyHeader {
    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(IdempotencyKey::MAX_CHARS), ..MetaSchema::new("string") }
    }

    fn from_header(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text.map(str::trim) else { return Ok(Self(None)) };
        let key = match text.strip_prefix('"') {
            Some(quoted) => {
                unquote(quoted).ok_or("must end with the double quote it begins with")?
            }
            None => text.to_owned(),
        };
        IdempotencyKey::new(key).map(|key| Self(Some(key))).map_err(|error| error.to_string())
    }
}

/// What stands before the closing quote, which must be the last character.
fn unquote(quoted: &str) -> Option<String> {
    let mut chars = quoted.chars();
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(text),
            '\\' => text.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => text.push(c),
        }
    }
}

/// `Last-Event-ID`: what a client of a stream has seen last.
#[derive(Debug)]
pub(crate) struct LastEventId(pub(crate) Option<Sequence>);

header_param!(LastEventId);

impl FromHeader for LastEventId {
    fn schema() -> MetaSchema {
        Sequence::schema()
    }

    fn from_header(text: Option<&str>) -> Result<Self, String> {
        text.map(|text| Sequence::read_text(text.trim())).transpose().map(Self)
    }
}

/// A place in the log of events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence(pub(crate) u64);

impl OnWire for Sequence {
    const NAME: &'static str = "Sequence";

    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some("^[0-9]+$".to_owned()), ..MetaSchema::new("string") }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let digits = value.as_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let sequence = digits.and_then(|text| text.parse().ok()).map(Self);
        sequence.ok_or_else(|| "must be the id of a streamed event".to_owned())
    }

    fn write(&self) -> Value {
        self.0.to_string().into()
    }
}

/// `status`: one or more, separated by commas.
#[derive(Debug, Clone)]
pub(crate) struct StatusList(pub(crate) BTreeSet<MeetingStatus>);

impl OnWire for StatusList {
    const NAME: &'static str = "StatusList";
    const ONCE: &'static str = "must be there once, with commas between its values";

    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn read(value: &Value) -> Result<Self, String> {
        let words = value.as_str().unwrap_or_default().split(',').map(str::trim);
        let statuses = words.map(|word| MeetingStatus::read(&word.into()));
        statuses.collect::<Result<_, _>>().map(Self)
    }

    fn write(&self) -> Value {
        let words: Vec<&str> = self.0.iter().map(|status| status.as_str()).collect();
        words.join(",").into()
    }
}

/// `limit`: from 1 to `MAX`, and `DEFAULT` when left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit<const MAX: u32, const DEFAULT: u32>(Bounded<Things, 1, MAX>);

impl<const MAX: u32, const DEFAULT: u32> Limit<MAX, DEFAULT> {
    const LEFT_OUT: Bounded<Things, 1, MAX> = match Bounded::new(DEFAULT) {
        Ok(limit) => limit,
        Err(_) => panic!("what is meant by default may be asked for"),
    };

    /// What was asked for, or the default.
    pub(crate) fn or_default(asked: Option<Self>) -> Bounded<Things, 1, MAX> {
        asked.map_or(Self::LEFT_OUT, |limit| limit.0)
    }
}

impl<const MAX: u32, const DEFAULT: u32> OnWire for Limit<MAX, DEFAULT> {
    const NAME: &'static str = "Limit";

    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(1.0),
            maximum: Some(f64::from(MAX)),
            default: Some(DEFAULT.into()),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let limit = value.as_str().and_then(|text| text.parse().ok());
        let limit = limit.and_then(|limit| Bounded::new(limit).ok());
        limit.map(Self).ok_or_else(|| format!("must be a number from 1 to {MAX}"))
    }

    fn write(&self) -> Value {
        self.0.get().into()
    }
}

/// Gives a place in a list, which is an instant and an id, the form of a `cursor`: opaque to callers.
macro_rules! cursor {
    ($place:ident { $at:ident, id: $id:ident }, $name:literal) => {
        impl $crate::wire::OnWire for $place {
            const NAME: &'static str = $name;

            fn schema() -> poem_openapi::registry::MetaSchema {
                $crate::params::cursor_schema()
            }

            fn read(value: &serde_json::Value) -> Result<Self, String> {
                let (at, id) = $crate::params::read_cursor(value)?;
                Ok(Self { $at: at, id: $id::from_uuid(id) })
            }

            fn write(&self) -> serde_json::Value {
                $crate::params::write_cursor(self.$at, self.id.uuid())
            }
        }
    };
}
pub(crate) use cursor;

cursor!(Place { start, id: MeetingId }, "Cursor");

pub(crate) fn cursor_schema() -> MetaSchema {
    MetaSchema { max_length: Some(64), ..MetaSchema::new("string") }
}

pub(crate) fn read_cursor(value: &Value) -> Result<(DateTime<Utc>, Uuid), String> {
    let place = || {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value.as_str()?).ok()?;
        let (millis, uuid) = bytes.split_first_chunk::<8>()?;
        let at = DateTime::from_timestamp_millis(i64::from_be_bytes(*millis))?;
        Some((at, Uuid::from_slice(uuid).ok()?))
    };
    place().ok_or_else(|| "must be the cursor of a Link header".to_owned())
}

pub(crate) fn write_cursor(at: DateTime<Utc>, id: Uuid) -> Value {
    let millis = at.timestamp_millis().to_be_bytes();
    BASE64_URL_SAFE_NO_PAD.encode([&millis[..], id.as_bytes()].concat()).into()
}

/// The `Link` to the next page (RFC 8288): the request's own address with another cursor.
pub(crate) fn next_page(request: &Request, cursor: &impl OnWire) -> String {
    let uri = request.original_uri();
    let query = uri.query().unwrap_or_default().as_bytes();
    let others = form_urlencoded::parse(query).filter(|(name, _)| name != "cursor");
    let cursor = cursor.write();
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair("cursor", cursor.as_str().unwrap_or_default())
        .finish();
    format!("<{}?{query}>; rel=\"next\"", uri.path())
}
