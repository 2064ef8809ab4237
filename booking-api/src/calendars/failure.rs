//! Why a calendar could not be read or written.

use std::error::Error;
use std::io;
use std::time::Duration;

use booking_core::CopyFault;
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::outbound::{NotPublic, retry_after};

/// Why nothing is sent to a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedLocation {
    /// It is not for this server to go there.
    #[error("leads to no public address")]
    NotPublic,
    /// Everybody on the way could read what is asked, the password too.
    #[error("must be https, but within the networks that the operator allows")]
    NotSecure,
}

/// Why a calendar could not be read or written. None says where it is, or what opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nothing is sent to where it is.
    #[error("the address {0}")]
    RefusedAddress(RefusedLocation),
    /// There is nobody, or nobody who can be talked to.
    #[error("{0}")]
    Unreachable(Unreached),
    /// It took too long.
    #[error("it took too long")]
    TimedOut,
    /// 401: the user name or the password is wrong, or missing.
    #[error("the server wants another user name and password")]
    Unauthorized,
    /// 404 or 410: nothing is there.
    #[error("there is nothing at the address")]
    NotFound,
    /// Another status that is no success.
    #[error("the server answered with status {status}")]
    Status {
        /// Which one.
        status: u16,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// More than is read.
    #[error("it is longer than is read")]
    TooLarge,
    /// What is there is no calendar, or no collection of a CalDAV server.
    #[error("what is there is no calendar")]
    NotACalendar,
    /// The server sends on and on.
    #[error("the server sends on and on")]
    TooManyRedirects,
    /// The server sends on to where everybody on the way could read along.
    #[error("the server sends on to where everybody could read along")]
    InsecureRedirect,
    /// It is a calendar, or says that it is one, and cannot be taken apart; or a part is missing.
    #[error("the server's answer cannot be read")]
    Unreadable,
}

/// Why nobody could be talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// No such host, or nobody listens there.
    #[error("there is no connection to the server")]
    NoConnection,
    /// Nobody whom this machine trusts says who the server is.
    #[error("the server's certificate is not trusted")]
    NotTrusted,
    /// It ended in the middle, or what came was no HTTP.
    #[error("the connection broke off")]
    BrokeOff,
}

impl FetchError {
    /// The reason for programs; it stays.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RefusedAddress(_) => "refused_address",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Status { .. } => "status",
            Self::TooLarge => "too_large",
            Self::NotACalendar => "not_a_calendar",
            Self::TooManyRedirects => "too_many_redirects",
            Self::InsecureRedirect => "insecure_redirect",
            Self::Unreadable => "unreadable",
        }
    }

    /// The status that the server answered with, where that is the reason.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized => Some(401),
            Self::NotFound => Some(404),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What a linked calendar's owner is told, under the same name.
    pub(super) const fn fault(self) -> CopyFault {
        match self {
            Self::RefusedAddress(_) => CopyFault::RefusedAddress,
            Self::Unreachable(_) => CopyFault::Unreachable,
            Self::TimedOut => CopyFault::TimedOut,
            Self::Unauthorized => CopyFault::Unauthorized,
            Self::NotFound => CopyFault::NotFound,
            Self::Status { .. } => CopyFault::Status,
            Self::TooLarge => CopyFault::TooLarge,
            Self::NotACalendar => CopyFault::NotACalendar,
            Self::TooManyRedirects => CopyFault::TooManyRedirects,
            Self::InsecureRedirect => CopyFault::InsecureRedirect,
            Self::Unreadable => CopyFault::Unreadable,
        }
    }

    /// How long the server wants to be left alone, if it said so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Of an answer that is no success.
    pub(super) fn answered(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::NotFound,
            _ => Self::Status { status: status.as_u16(), retry_after: retry_after(headers, now) },
        }
    }

    /// Of an answer that did not come, or not whole.
    pub(super) fn unanswered(error: &reqwest::Error) -> Self {
        // Who was refused is said by our resolver, deep inside.
        if has_cause(error, <dyn Error>::is::<NotPublic>) {
            Self::RefusedAddress(RefusedLocation::NotPublic)
        } else if error.is_timeout() {
            Self::TimedOut
        } else if has_cause(error, is_distrust) {
            Self::Unreachable(Unreached::NotTrusted)
        } else if error.is_connect() {
            Self::Unreachable(Unreached::NoConnection)
        } else {
            Self::Unreachable(Unreached::BrokeOff)
        }
    }
}

fn has_cause(error: &reqwest::Error, is_it: fn(&(dyn Error + 'static)) -> bool) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if is_it(cause) {
            return true;
        }
        // What an `io::Error` wraps is not its source.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    false
}

fn is_distrust(cause: &(dyn Error + 'static)) -> bool {
    matches!(
        cause.downcast_ref::<rustls::Error>(),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
    )
}

impl From<RefusedLocation> for FetchError {
    fn from(refused: RefusedLocation) -> Self {
        Self::RefusedAddress(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two names for one thing would be two things.
    #[test]
    fn faults_are_called_as_failures_are() {
        for error in [
            FetchError::from(RefusedLocation::NotPublic),
            FetchError::Unreachable(Unreached::BrokeOff),
            FetchError::TimedOut,
            FetchError::Unauthorized,
            FetchError::NotFound,
            FetchError::Status { status: 500, retry_after: None },
            FetchError::TooLarge,
            FetchError::NotACalendar,
            FetchError::TooManyRedirects,
            FetchError::InsecureRedirect,
            FetchError::Unreadable,
        ] {
            assert_eq!(error.fault().as_str(), error.code());
        }
    }
}
