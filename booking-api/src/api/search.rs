//! `/booking/slots/search`.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use booking_core::{Booking, DiariesQuery, PageLimit, SessionDuration, SlotSearch, UserId};
use chrono::NaiveDate;
use chrono_tz::Tz;
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::Query;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;

use crate::api::Chapter;
use crate::auth::{ListSlots, SignedIn};
use crate::body::plain;
use crate::dto::{SlotsFoundDto, found_json};
use crate::params::{Limit, cursor_schema, next_page};
use crate::problem::Problem;
use crate::wire::{OnWire, Wire};

type SlotLimit = Limit<{ PageLimit::MAX.get() }, 500>;

pub(crate) struct SearchApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Found {
    /// What can be booked, by date.
    #[oai(status = 200)]
    Ok(
        FoundJson,
        /// When there is more: the address of the next page (RFC 8288).
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Chapter::Slots")]
impl SearchApi {
    /// Find free times with several therapists
    ///
    /// What `GET /booking/slots` lists for each of them, by the dates of the zone of whoever looks.
    /// Pages are of whole dates; dates without a start are left out. Ids that are no therapist's are
    /// named, and the others searched.
    #[oai(path = "/booking/slots/search", method = "get", operation_id = "searchSlots")]
    #[expect(clippy::too_many_arguments, reason = "one for each query parameter")]
    async fn search(
        &self,
        caller: SignedIn<ListSlots>,
        request: &Request,
        /// With whom: up to 50 ids, separated by commas, each once. (An id that has a comma itself
        /// cannot be searched for.)
        #[oai(name = "therapistIds")]
        therapists: Query<Wire<TherapistList>>,
        /// The first date, in `timeZone`.
        from: Query<Wire<NaiveDate>>,
        /// The last date, in `timeZone`. At most 62 dates, with both ends.
        to: Query<Wire<NaiveDate>>,
        /// The IANA zone by whose dates the starts are sorted: that of whoever looks.
        #[oai(name = "timeZone")]
        zone: Query<Wire<Tz>>,
        /// Only starts that have room for a session of so many minutes.
        duration: Query<Option<Wire<SessionDuration>>>,
        /// A page ends before the date with which it would hold more starts than this. Its first date
        /// is whole in any case.
        limit: Query<Option<Wire<SlotLimit>>>,
        /// Where to go on: from the `Link` header of the page before.
        cursor: Query<Option<Wire<FirstDate>>>,
    ) -> Result<Found, Problem> {
        let search = SlotSearch {
            therapists: therapists.0.0.0,
            from: from.0.0,
            to: to.0.0,
            zone: zone.0.0,
            duration: plain(duration.0),
            page: plain(cursor.0).map(|first| first.0),
            limit: Limit::or_default(plain(limit.0)),
        };
        let found = self.0.search(&caller.actor, &search).await?;
        let link = found.next.map(|date| next_page(request, &FirstDate(date)));
        Ok(Found::Ok(FoundJson(found_json(search.zone, &found)), link))
    }
}

/// `therapistIds`: one or more, separated by commas.
#[derive(Debug, Clone)]
struct TherapistList(BTreeSet<UserId>);

impl OnWire for TherapistList {
    const NAME: &'static str = "TherapistList";
    const ONCE: &'static str = "must be there once, with commas between its values";

    fn schema() -> MetaSchema {
        MetaSchema { min_length: Some(1), ..MetaSchema::new("string") }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let most = DiariesQuery::MAX_THERAPISTS;
        let mut therapists = BTreeSet::new();
        for id in value.as_str().unwrap_or_default().split(',') {
            let is_new = therapists.insert(UserId::read(&id.trim().into())?);
            if !is_new {
                return Err("must name each therapist once".to_owned());
            }
            if therapists.len() > most {
                return Err(format!("must name at most {most} therapists"));
            }
        }
        Ok(Self(therapists))
    }

    fn write(&self) -> Value {
        let ids: Vec<&str> = self.0.iter().map(UserId::as_str).collect();
        ids.join(",").into()
    }
}

/// Where a page begins, as a `cursor`: opaque to callers.
#[derive(Debug, Clone, Copy)]
struct FirstDate(NaiveDate);

impl OnWire for FirstDate {
    const NAME: &'static str = "SearchCursor";

    fn schema() -> MetaSchema {
        cursor_schema()
    }

    fn read(value: &Value) -> Result<Self, String> {
        let date = || {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(value.as_str()?).ok()?;
            NaiveDate::read(&String::from_utf8(bytes).ok()?.into()).ok()
        };
        date().map(Self).ok_or_else(|| "must be the cursor of a Link header".to_owned())
    }

    fn write(&self) -> Value {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.to_string()).into()
    }
}

/// What was found, in its documented form.
struct FoundJson(String);

impl Payload for FoundJson {
    const CONTENT_TYPE: &'static str = Json::<SlotsFoundDto>::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        SlotsFoundDto::schema_ref()
    }

    fn register(registry: &mut Registry) {
        SlotsFoundDto::register(registry);
    }
}

impl IntoResponse for FoundJson {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}
