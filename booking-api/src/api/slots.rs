//! `/booking/slots`.

use booking_core::{Booking, UserId};
use chrono::NaiveDate;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;

use crate::api::Chapter;
use crate::auth::{ListSlots, SignedIn};
use crate::dto::SlotDto;
use crate::problem::Problem;
use crate::wire::Wire;

pub(crate) struct SlotsApi(pub(crate) Booking);

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
    ) -> Result<Json<Vec<SlotDto>>, Problem> {
        let slots = self.0.slots(&caller.actor, &therapist.0.0, date.0.0).await?;
        Ok(Json(slots.into_iter().map(SlotDto::from).collect()))
    }
}
