//! `/booking/settings`.

use booking_core::{Booking, TherapistSettings};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ManageAvailability, SignedIn};
use crate::body::Body;
use crate::dto::{SettingsDto, SettingsPutDto};
use crate::params::IfMatch;
use crate::problem::Problem;

pub(crate) struct SettingsApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Answered {
    /// The settings.
    #[oai(status = 200)]
    Ok(
        Json<SettingsDto>,
        /// The settings' version.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Chapter::Availability")]
impl SettingsApi {
    /// Read one's scheduling settings
    ///
    /// For therapists. Who has never set anything has those that hold for everybody.
    #[oai(path = "/booking/settings", method = "get", operation_id = "getSettings")]
    async fn read(&self, caller: SignedIn<ManageAvailability>) -> Result<Answered, Problem> {
        Ok(answered(self.0.settings(&caller.actor).await?))
    }

    /// Replace one's scheduling settings
    ///
    /// For therapists. All of them: what is left out is as if it had never been set. They hold for
    /// what is booked or moved from now on; booked meetings stay as they are.
    #[oai(path = "/booking/settings", method = "put", operation_id = "putSettings")]
    async fn replace(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// Replace them only if their `ETag` is one of these.
        #[oai(name = "If-Match")]
        expected: IfMatch,
        body: Body<SettingsPutDto>,
    ) -> Result<Answered, Problem> {
        let settings = self.0.put_settings(&caller.actor, &body.0.into(), &expected.0).await?;
        Ok(answered(settings))
    }
}

/// With a strong entity tag (RFC 9110, section 8.8.3).
fn answered(settings: TherapistSettings) -> Answered {
    let etag = format!("\"{}\"", settings.version);
    Answered::Ok(Json(settings.into()), etag)
}
