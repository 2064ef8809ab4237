//! `/booking/holds`.

use booking_core::{Booking, HoldId, Refusal};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{Book, SignedIn};
use crate::body::Body;
use crate::dto::{HoldCreateDto, HoldDto};
use crate::problem::Problem;

pub(crate) struct HoldsApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Created {
    /// It is kept from now on.
    #[oai(status = 201)]
    Created(Json<HoldDto>),
}

#[derive(ApiResponse)]
enum Released {
    /// Others can have it again.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(tag = "Chapter::Holds")]
impl HoldsApi {
    /// Keep a start
    ///
    /// For whoever may book it. For some minutes nobody else is offered it, or can book it; the caller
    /// books it as any other, and that uses the hold up. There is one hold of each caller and therapist:
    /// another takes the place of the one before, whatever time that was for. Where it is refused, the
    /// one before stays.
    #[oai(path = "/booking/holds", method = "post", operation_id = "createHold")]
    async fn create(
        &self,
        caller: SignedIn<Book>,
        body: Body<HoldCreateDto>,
    ) -> Result<Created, Problem> {
        let kept = self.0.hold(&caller.actor, &body.0.into()).await?;
        Ok(Created::Created(Json(kept.into())))
    }

    /// List one's holds
    ///
    /// Those that have not expired, soonest start first.
    #[oai(path = "/booking/holds", method = "get", operation_id = "listHolds")]
    async fn list(&self, caller: SignedIn<Book>) -> Result<Json<Vec<HoldDto>>, Problem> {
        let kept = self.0.holds(&caller.actor).await?;
        Ok(Json(kept.into_iter().map(HoldDto::from).collect()))
    }

    /// Give up a hold
    ///
    /// For its holder, until it expires.
    #[oai(path = "/booking/holds/:id", method = "delete", operation_id = "deleteHold")]
    async fn release(
        &self,
        caller: SignedIn<Book>,
        /// The hold.
        id: Path<String>,
    ) -> Result<Released, Problem> {
        // A text that is no id of ours names no hold of ours.
        let id: HoldId = id.parse().map_err(|_| Refusal::HoldNotFound)?;
        self.0.release_hold(&caller.actor, id).await?;
        Ok(Released::NoContent)
    }
}
