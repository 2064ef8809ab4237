//! `/booking/availability`.

use booking_core::{AvailabilityId, Booking, Refusal};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ManageAvailability, SignedIn};
use crate::body::Body;
use crate::dto::{
    AvailabilityDto, DeletedDto, TherapistAvailabilityCreateDto, TherapistAvailabilityUpdateDto,
};
use crate::params::IdempotencyHeader;
use crate::problem::Problem;

pub(crate) struct AvailabilityApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Created {
    /// The window is added.
    #[oai(status = 201)]
    Created(
        Json<AvailabilityDto>,
        /// `true` when this is the first answer again.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Chapter::Availability")]
impl AvailabilityApi {
    /// Add a weekly window
    ///
    /// For therapists. Windows of one weekday may touch, but not overlap.
    #[oai(path = "/booking/availability", method = "post", operation_id = "createAvailability")]
    async fn create(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// Makes repeats of this request within 24 hours answer alike and add one window.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyHeader,
        body: Body<TherapistAvailabilityCreateDto>,
    ) -> Result<Created, Problem> {
        let added = self.0.add_availability(&caller.actor, &body.0.try_into()?, key.0).await?;
        let replayed = added.replayed.then(|| "true".to_owned());
        Ok(Created::Created(Json(added.value.into()), replayed))
    }

    /// List one's weekly windows
    ///
    /// For therapists; by day from Sunday, then by start.
    #[oai(path = "/booking/availability", method = "get", operation_id = "listAvailability")]
    async fn list(
        &self,
        caller: SignedIn<ManageAvailability>,
    ) -> Result<Json<Vec<AvailabilityDto>>, Problem> {
        let slots = self.0.availability(&caller.actor).await?;
        Ok(Json(slots.into_iter().map(AvailabilityDto::from).collect()))
    }

    /// Change a weekly window
    ///
    /// For therapists. Booked meetings stay as they are.
    #[oai(path = "/booking/availability/:id", method = "put", operation_id = "updateAvailability")]
    async fn update(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The window.
        id: Path<String>,
        body: Body<TherapistAvailabilityUpdateDto>,
    ) -> Result<Json<AvailabilityDto>, Problem> {
        let patch = body.0.try_into()?;
        let id = availability_id(&id)?;
        let slot = self.0.update_availability(&caller.actor, id, &patch).await?;
        Ok(Json(slot.into()))
    }

    /// Delete a weekly window
    ///
    /// For therapists. Booked meetings stay as they are.
    #[oai(
        path = "/booking/availability/:id",
        method = "delete",
        operation_id = "deleteAvailability"
    )]
    async fn delete(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The window.
        id: Path<String>,
    ) -> Result<Json<DeletedDto>, Problem> {
        self.0.delete_availability(&caller.actor, availability_id(&id)?).await?;
        Ok(Json(DeletedDto::DONE))
    }
}

/// A text that is no id of ours names no slot of ours.
fn availability_id(text: &str) -> Result<AvailabilityId, Problem> {
    text.parse().map_err(|_| Refusal::AvailabilityNotFound.into())
}
