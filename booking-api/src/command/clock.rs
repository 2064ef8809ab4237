//! `/dev/clock`: what time the `dev` server takes it to be.

use std::sync::Arc;

use booking_core::{Clock, ShiftedClock};
use chrono::{DateTime, Utc};
use poem::http::Method;
use poem::{Endpoint, Request, Response, Result};

use crate::body::{read_json, request_body};
use crate::spec::answer;
use crate::wire::{OnWire, Wire};

request_body! {
    /// The present instant.
    ClockDto {
        /// From now on; the clock runs on from there.
        now: Wire<DateTime<Utc>>,
    }
}

/// GET tells it, PUT sets it.
pub(super) struct ClockEndpoint(pub(super) Arc<ShiftedClock>);

impl Endpoint for ClockEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if request.method() == Method::PUT {
            let (request, mut body) = request.split();
            let wanted: ClockDto = read_json(&request, &mut body).await?;
            self.0.set(wanted.now.0);
        }
        Ok(answer("application/json", format!(r#"{{"now":{}}}"#, self.0.now().write())))
    }
}
