//! `/booking/overrides`.

use booking_core::{Booking, OverrideId, Refusal};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ManageAvailability, SignedIn};
use crate::body::{Body, plain};
use crate::dto::{DeletedDto, OverrideCreateDto, OverrideDto, OverrideUpdateDto};
use crate::params::IdempotencyHeader;
use crate::problem::Problem;
use crate::wire::Wire;
use crate::wire_terms::DateBound;

pub(crate) struct OverridesApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Created {
    /// The override is added.
    #[oai(status = 201)]
    Created(
        Json<OverrideDto>,
        /// `true` when this is the first answer again.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Chapter::Availability")]
impl OverridesApi {
    /// Give some dates other windows, or none
    ///
    /// For therapists. On these dates the weekly windows do not count. No date has two overrides.
    /// Booked meetings stay as they are.
    #[oai(path = "/booking/overrides", method = "post", operation_id = "createOverride")]
    async fn create(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// Makes repeats of this request within 24 hours answer alike and add one override.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyHeader,
        body: Body<OverrideCreateDto>,
    ) -> Result<Created, Problem> {
        let added = self.0.add_override(&caller.actor, &body.0.try_into()?, key.0).await?;
        let replayed = added.replayed.then(|| "true".to_owned());
        Ok(Created::Created(Json(added.value.into()), replayed))
    }

    /// List one's overrides
    ///
    /// For therapists; by their first date.
    #[oai(path = "/booking/overrides", method = "get", operation_id = "listOverrides")]
    async fn list(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// Only those with this date or a later one.
        from: Query<Option<Wire<DateBound>>>,
        /// Only those with this date or an earlier one.
        to: Query<Option<Wire<DateBound>>>,
    ) -> Result<Json<Vec<OverrideDto>>, Problem> {
        let bound = |date: Query<Option<Wire<DateBound>>>| plain(date.0).map(|date| date.0);
        let found = self.0.overrides(&caller.actor, bound(from), bound(to)).await?;
        Ok(Json(found.into_iter().map(OverrideDto::from).collect()))
    }

    /// Replace an override
    ///
    /// For therapists. All of it: what is left out is as if it had never been said. Booked meetings
    /// stay as they are.
    #[oai(path = "/booking/overrides/:id", method = "put", operation_id = "updateOverride")]
    async fn replace(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The override.
        id: Path<String>,
        body: Body<OverrideUpdateDto>,
    ) -> Result<Json<OverrideDto>, Problem> {
        let new = body.0.try_into()?;
        let replaced = self.0.replace_override(&caller.actor, override_id(&id)?, &new).await?;
        Ok(Json(replaced.into()))
    }

    /// Delete an override
    ///
    /// For therapists. The weekly windows count again. Booked meetings stay as they are.
    #[oai(path = "/booking/overrides/:id", method = "delete", operation_id = "deleteOverride")]
    async fn delete(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The override.
        id: Path<String>,
    ) -> Result<Json<DeletedDto>, Problem> {
        self.0.delete_override(&caller.actor, override_id(&id)?).await?;
        Ok(Json(DeletedDto::DONE))
    }
}

/// A text that is no id of ours names no override of ours.
fn override_id(text: &str) -> Result<OverrideId, Problem> {
    text.parse().map_err(|_| Refusal::OverrideNotFound.into())
}
