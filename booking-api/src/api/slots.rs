//! `/booking/slots`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use booking_core::{Booking, UserId};
use chrono::NaiveDate;
use poem::http::header;
use poem::{IntoResponse, Response};
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi, payload};
use twox_hash::XxHash3_128;

use crate::api::Chapter;
use crate::auth::{ListSlots, SignedIn};
use crate::dto::{SlotDto, slots_json};
use crate::params::IfNoneMatch;
use crate::problem::Problem;
use crate::wire::Wire;

pub(crate) struct SlotsApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Listed {
    /// A list. Each is a start that can be booked.
    #[oai(status = 200)]
    Ok(
        SlotsJson,
        /// Stands for this very list.
        #[oai(header = "ETag")]
        String,
    ),
    /// The list is still the one that the caller has.
    #[oai(status = 304)]
    NotModified(
        /// Stands for the list.
        #[oai(header = "ETag")]
        String,
    ),
}

/// Free starts are nobody's appointments: the caller's own browser may keep them, and asks each time
/// whether they are still the same.
pub(super) const CACHE_CONTROL: &str = "private, no-cache";

#[OpenApi(tag = "Chapter::Slots")]
impl SlotsApi {
    /// List what can be booked on a day
    ///
    /// The date is one of the therapist's zone. Whatever is offered to a client books for them,
    /// unless somebody is faster; their own meetings are left out too.
    #[oai(path = "/booking/slots", method = "get", operation_id = "listSlots")]
    async fn list(
        &self,
        caller: SignedIn<ListSlots>,
        /// With whom.
        #[oai(name = "therapistId")]
        therapist: Query<Wire<UserId>>,
        /// When, in the therapist's zone.
        date: Query<Wire<NaiveDate>>,
        /// Answer with 304 if the list's `ETag` is one of these.
        #[oai(name = "If-None-Match")]
        known: IfNoneMatch,
    ) -> Result<payload::Response<Listed>, Problem> {
        let slots = self.0.slots(&caller.actor, &therapist.0.0, date.0.0).await?;
        let json = slots_json(&slots);
        let etag = etag(&json);
        let listed = if known.names(&etag) {
            Listed::NotModified(etag)
        } else {
            Listed::Ok(SlotsJson(json), etag)
        };
        Ok(payload::Response::new(listed)
            .header(header::CACHE_CONTROL, CACHE_CONTROL)
            .header(header::VARY, "authorization"))
    }
}

/// A strong entity tag (RFC 9110, section 8.8.3): the same for the same bytes, whichever process sends
/// them and whoever asks. XXH3 keeps no secrets and nobody has to trust it: who asks for a list only
/// ever compares it with their own.
pub(super) fn etag(text: &str) -> String {
    let digest = XxHash3_128::oneshot(text.as_bytes());
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(digest.to_be_bytes()))
}

/// Slots in their documented form.
struct SlotsJson(String);

impl Payload for SlotsJson {
    const CONTENT_TYPE: &'static str = Json::<Vec<SlotDto>>::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        <Vec<SlotDto>>::schema_ref()
    }

    fn register(registry: &mut Registry) {
        <Vec<SlotDto>>::register(registry);
    }
}

impl IntoResponse for SlotsJson {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}
