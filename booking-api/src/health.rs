//! Whether the process is up, whether its store answers, and what a problem means.

use std::sync::Arc;

use booking_core::Booking;
use poem::{Endpoint, Request, Response, Result};
use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::problem::{Code, Problem};
use crate::spec::answer;

/// `/healthz`: the process is up.
pub(crate) fn alive() -> Response {
    answer("application/json", r#"{"status":"ok"}"#.to_owned())
}

/// `/readyz`: the store answers, tokens can be checked, and the server is not about to stop.
pub(crate) struct Ready {
    pub(crate) booking: Booking,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) draining: CancellationToken,
}

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        if self.draining.is_cancelled() {
            return Err(Problem::new(Code::Unavailable, "the server is about to stop").into());
        }
        self.verifier.ready().map_err(Problem::from)?;
        self.booking.ready().await.map_err(Problem::from)?;
        Ok(alive())
    }
}

/// `/problems/<code>`: what the code means.
#[expect(clippy::needless_pass_by_value, reason = "poem hands requests over")]
pub(crate) fn problem(request: Request) -> Result<Response> {
    let code = request.raw_path_param("code").unwrap_or_default();
    let code = Code::ALL.iter().find(|known| known.as_str() == code);
    let code = code.ok_or_else(|| Problem::new(Code::NotFound, "there is no such problem"))?;
    let text = format!("{} ({})\n\n{}\n", code.title(), code.status().as_u16(), code.about());
    Ok(answer("text/plain; charset=utf-8", text))
}
