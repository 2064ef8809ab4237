//! Request bodies: JSON objects, read field by field so that every wrong field is named at once.

use std::time::Duration;

use booking_core::Patch;
use poem::http::header;
use poem::{Request, RequestBody, Result, error::ReadBodyError};
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{MaybeUndefined, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::problem::{Code, FieldError, Problem};
use crate::wire::{OnWire, Wire};

/// The largest body, in bytes (contract, "Status codes and codes").
const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// The fields of a JSON object, and what was wrong with those taken so far.
#[derive(Debug)]
pub(crate) struct Fields {
    object: Map<String, Value>,
    errors: Vec<FieldError>,
}

/// A type that a JSON object is read into.
pub(crate) trait FromFields: Sized {
    /// Takes all fields, also after one was wrong; `None` when any was.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// A type that one field of a JSON object is read into.
pub(crate) trait FromField: Sized {
    fn from_field(value: Option<Value>) -> Result<Self, String>;
}

/// Must be there.
impl<T: OnWire> FromField for Wire<T> {
    fn from_field(value: Option<Value>) -> Result<Self, String> {
        let value = value.ok_or_else(|| "is required".to_owned())?;
        T::read(&value).map(Self)
    }
}

/// May be absent, but not null.
impl<T: OnWire> FromField for Option<Wire<T>> {
    fn from_field(value: Option<Value>) -> Result<Self, String> {
        value.map(|value| T::read(&value).map(Wire)).transpose()
    }
}

/// May be absent, and may be null.
impl<T: OnWire> FromField for MaybeUndefined<Wire<T>> {
    fn from_field(value: Option<Value>) -> Result<Self, String> {
        match value {
            None => Ok(Self::Undefined),
            Some(Value::Null) => Ok(Self::Null),
            Some(value) => T::read(&value).map(|value| Self::Value(Wire(value))),
        }
    }
}

impl Fields {
    /// Takes the field that a struct calls `name` and the wire `camelCase`.
    pub(crate) fn take<T: FromField>(&mut self, name: &str) -> Option<T> {
        let name = camel_case(name);
        T::from_field(self.object.remove(&name))
            .map_err(|detail| self.errors.push(FieldError::at(&name, detail)))
            .ok()
    }

    fn read<T: FromFields>(json: &[u8]) -> Result<T, Problem> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| Problem::new(Code::InvalidRequest, format!("not JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(Problem::new(Code::InvalidRequest, "the body must be a JSON object"));
        };
        let mut fields = Self { object, errors: Vec::new() };
        T::from_fields(&mut fields).ok_or_else(|| Problem::invalid(fields.errors))
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut camel, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        camel.push_str(&head.to_ascii_uppercase());
        camel.push_str(tail);
        camel
    })
}

/// Declares a request body: the struct with its schema, and how it is read.
macro_rules! request_body {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, poem_openapi::Object)]
        #[oai(rename_all = "camelCase")]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $ty,)+
        }

        impl $crate::body::FromFields for $name {
            fn from_fields(fields: &mut $crate::body::Fields) -> Option<Self> {
                $(let $field = fields.take(stringify!($field));)+
                Some(Self { $($field: $field?,)+ })
            }
        }
    };
}
pub(crate) use request_body;

/// What to do with a field that may be empty.
pub(crate) fn patch<T>(field: MaybeUndefined<Wire<T>>) -> Patch<T> {
    match field {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(Wire(value)) => Patch::Set(value),
    }
}

/// The value of a field that may be absent.
pub(crate) fn plain<T>(field: Option<Wire<T>>) -> Option<T> {
    field.map(|Wire(value)| value)
}

/// A JSON body: of a type that must be there, or of an `Option` that may be left out.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// What a whole body is read into.
pub(crate) trait FromBody: Sized {
    /// What it looks like when it is there.
    type Schema: Type;
    const IS_REQUIRED: bool;

    fn from_body(json: &[u8]) -> Result<Self, Problem>;
}

impl<T: FromFields + Type> FromBody for T {
    type Schema = T;
    const IS_REQUIRED: bool = true;

    fn from_body(json: &[u8]) -> Result<Self, Problem> {
        Fields::read(json)
    }
}

impl<T: FromFields + Type> FromBody for Option<T> {
    type Schema = T;
    const IS_REQUIRED: bool = false;

    fn from_body(json: &[u8]) -> Result<Self, Problem> {
        if json.is_empty() { Ok(None) } else { T::from_body(json).map(Some) }
    }
}

impl<'a, T: FromBody> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::Schema::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content_type = Json::<T::Schema>::CONTENT_TYPE;
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type, schema: T::Schema::schema_ref() }],
            required: T::IS_REQUIRED,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(Self(read_json(request, body).await?))
    }
}

/// Reads a JSON body of at most [`MAX_BYTES`], however it is sent.
pub(crate) async fn read_json<T: FromBody>(
    request: &Request,
    body: &mut RequestBody,
) -> Result<T, Problem> {
    // What is not JSON need not arrive; what may be left out has a type only if it is there.
    if T::IS_REQUIRED {
        check_content_type(request)?;
    }
    let json = read_bytes(request, body).await?;
    if !json.is_empty() {
        check_content_type(request)?;
    }
    T::from_body(&json)
}

fn check_content_type(request: &Request) -> Result<(), Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let text = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if Json::<bool>::check_content_type(text) {
        Ok(())
    } else {
        let detail = "send the body as Content-Type: application/json";
        Err(Problem::new(Code::UnsupportedMediaType, detail))
    }
}

/// A body of at most [`MAX_BYTES`], however it is sent.
pub(crate) async fn read_bytes(
    request: &Request,
    body: &mut RequestBody,
) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let detail = format!("the body may have at most {} KiB", MAX_BYTES / 1024);
        Problem::new(Code::PayloadTooLarge, detail)
    };
    if promised_length(request).is_some_and(|length| length > MAX_BYTES as u64) {
        return Err(too_large());
    }
    let body = body.take().map_err(Problem::internal)?;
    match timeout(PATIENCE, body.into_bytes_limit(MAX_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::InvalidRequest, "the body broke off")),
        Err(_) => Err(Problem::new(Code::RequestTimeout, "the body did not arrive in time")),
    }
}

fn promised_length(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
