//! `/dev/clock`: what time the `dev` server takes it to be.

use std::sync::Arc;

use booking_core::{Clock, Hub, ShiftedClock};
use chrono::{DateTime, Datelike, Utc};
use poem::http::Method;
use poem::{Endpoint, Request, Response, Result};

use crate::body::{read_json, request_body};
use crate::problem::{FieldError, Problem};
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
#[derive(Clone)]
pub(super) struct ClockEndpoint {
    pub(super) clock: Arc<ShiftedClock>,
    /// Who waits for the time to pass.
    pub(super) hub: Hub,
}

/// An instant from which a clock may run on: RFC 3339 ends with the year 9999.
pub(super) fn settable(now: DateTime<Utc>) -> Result<DateTime<Utc>, &'static str> {
    if (0..9_999).contains(&now.year()) { Ok(now) } else { Err("must be before the year 9999") }
}

impl Endpoint for ClockEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if request.method() == Method::PUT {
            let (request, mut body) = request.split();
            let wanted: ClockDto = read_json(&request, &mut body).await?;
            let now = settable(wanted.now.0);
            self.clock.set(now.map_err(|why| Problem::invalid(vec![FieldError::at("now", why)]))?);
            self.hub.wake_all();
        }
        Ok(answer("application/json", format!(r#"{{"now":{}}}"#, self.clock.now().write())))
    }
}
