//! One request to a receiver, and what its answer means.

use std::error::Error;
use std::time::Duration;

use booking_core::{CLOUD_EVENTS_JSON, SinkError, Then};
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use url::Url;

use super::WebhookSetupError;
use crate::outbound::{self, Guard, NotPublic, drain, retry_after};

/// Idle connections kept to one receiver.
const MAX_IDLE: usize = 8;

/// Sends to wherever the guard lets it, one attempt at a time.
pub(super) struct Client {
    http: reqwest::Client,
    guard: Guard,
    timeout: Duration,
}

/// What a receiver gets.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) sent_at: DateTime<Utc>,
    pub(super) signatures: String,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(guard: Guard, timeout: Duration) -> Result<Self, WebhookSetupError> {
        let http = outbound::client(&guard)
            .map_err(WebhookSetupError::of)?
            .timeout(timeout)
            .pool_max_idle_per_host(MAX_IDLE)
            .build()
            .map_err(WebhookSetupError::of)?;
        Ok(Self { http, guard, timeout })
    }

    pub(super) fn check(&self, url: &Url) -> Result<(), NotPublic> {
        self.guard.check(url)
    }

    /// One attempt. Returns the status of a receiver that took the message: 2xx, and nothing else.
    pub(super) async fn post(&self, url: &Url, message: Message) -> Result<u16, SinkError> {
        // What has been registered may have been allowed then.
        self.check(url).map_err(|error| SinkError::retry(format!("the URL {error}")))?;
        let sent_at = message.sent_at;
        let sent = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, CLOUD_EVENTS_JSON)
            .header("webhook-id", message.id)
            .header("webhook-timestamp", sent_at.timestamp())
            .header("webhook-signature", message.signatures)
            .body(message.body)
            .send()
            .await;
        let response = sent.map_err(|error| self.unanswered(&error))?;
        let answer = judge(response.status(), response.headers(), sent_at);
        drain(response).await;
        answer
    }

    fn unanswered(&self, error: &reqwest::Error) -> SinkError {
        SinkError::retry(if error.is_timeout() {
            format!("no answer within {} s", self.timeout.as_secs_f32())
        } else if error.is_connect() {
            format!("no connection: {}", root_cause(error))
        } else {
            format!("the connection broke off: {}", root_cause(error))
        })
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Result<u16, SinkError> {
    let code = status.as_u16();
    if status.is_success() {
        return Ok(code);
    }
    let reason = if status.is_redirection() {
        format!("the receiver answered {code}, and redirects are not followed")
    } else {
        format!("the receiver answered {code}")
    };
    let then = match status {
        StatusCode::GONE => Then::Deactivate,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Then::Retry(retry_after(headers, now))
        }
        _ => Then::Retry(None),
    };
    Err(SinkError { reason, status: Some(code), then })
}

/// The errors around it say where requests go, and nothing else.
fn root_cause(error: &reqwest::Error) -> &dyn Error {
    let mut root: &dyn Error = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root
}

#[cfg(test)]
mod tests {
    use reqwest::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn a_receiver_may_ask_for_time_in_seconds_or_by_a_date() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let table = [
            ("0", Some(0)),
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", None),
            ("18446744073709551616", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ];
        for (text, seconds) in table {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
            for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
                let then = judge(status, &headers, now).map_err(|error| error.then);
                assert_eq!(then, Err(Then::Retry(expected)), "{status}");
            }
            let other = judge(StatusCode::BAD_GATEWAY, &headers, now);
            assert_eq!(other.map_err(|error| error.then), Err(Then::Retry(None)));
        }
    }
}
