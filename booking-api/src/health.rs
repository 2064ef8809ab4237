//! Whether the process is up, whether its store answers, and what a problem means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use booking_core::Booking;
use poem::{Endpoint, Request, Response, Result};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::problem::{Code, Problem};
use crate::spec::answer;

/// `/healthz`: the process is up.
pub(crate) fn alive() -> Response {
    answer("application/json", r#"{"status":"ok"}"#.to_owned())
}

/// How long the store's last word is good for. Nobody's requests are counted here: whoever asks more
/// often asks the store for nothing.
const FRESH_FOR: Duration = Duration::from_millis(500);

/// `/readyz`: the store answers, tokens can be checked, and the server is not about to stop.
pub(crate) struct Ready {
    booking: Booking,
    verifier: Arc<dyn Verifier>,
    draining: CancellationToken,
    /// When the store was asked last, and whether it answered. Held while it is being asked.
    asked: Mutex<Option<(Instant, bool)>>,
}

impl Ready {
    pub(crate) fn new(
        booking: Booking,
        verifier: Arc<dyn Verifier>,
        draining: CancellationToken,
    ) -> Self {
        Self { booking, verifier, draining, asked: Mutex::default() }
    }

    async fn store_answers(&self) -> Result<(), Problem> {
        let mut asked = self.asked.lock().await;
        match *asked {
            Some((at, true)) if at.elapsed() < FRESH_FOR => Ok(()),
            Some((at, false)) if at.elapsed() < FRESH_FOR => {
                Err(Problem::new(Code::Unavailable, "the store did not answer a moment ago"))
            }
            _ => {
                let answered = self.booking.ready().await;
                *asked = Some((Instant::now(), answered.is_ok()));
                Ok(answered?)
            }
        }
    }
}

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        if self.draining.is_cancelled() {
            return Err(Problem::new(Code::Unavailable, "the server is about to stop").into());
        }
        self.verifier.ready().map_err(Problem::from)?;
        self.store_answers().await?;
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
