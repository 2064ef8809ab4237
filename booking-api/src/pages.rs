//! The pages that are large: the documentation, and the document itself. All answers share the bytes
//! of a page, so that those which nobody takes cost next to nothing.

use std::sync::{Arc, Mutex, PoisonError};

use booking_core::Clock;
use bytes::Bytes;
use chrono::NaiveDate;
use poem::http::HeaderMap;
use poem::{Body, Endpoint, Request, Response, Result};

use crate::http::mount_prefix;
use crate::spec;

/// A page with the address of the operations in it.
pub(crate) struct Page {
    pub(crate) content_type: &'static str,
    /// As it is where nothing is mounted anywhere. Made when it is asked for: a server that starts has
    /// better things to do.
    pub(crate) text: Box<dyn Fn() -> String + Send + Sync>,
    /// What stands before the address.
    pub(crate) before: &'static str,
    /// The address.
    pub(crate) base: String,
    /// What else is to be said of it.
    pub(crate) headers: fn(&str) -> HeaderMap,
    /// By whose time its examples are, if not by their own.
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

/// Where and when a page was made for. Others are few: an app mounts the API somewhere, and examples
/// move once a week.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    prefix: String,
    week: Option<NaiveDate>,
}

/// The page, and the last answer that was made of it.
pub(crate) struct PageEndpoint {
    page: Page,
    last: Mutex<Option<(Made, Bytes, HeaderMap)>>,
}

impl From<Page> for PageEndpoint {
    fn from(page: Page) -> Self {
        Self { page, last: Mutex::default() }
    }
}

impl Endpoint for PageEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (body, headers) = self.made_for(mount_prefix(&request));
        let response = Response::builder().content_type(self.page.content_type);
        let mut response = response.body(Body::from_bytes(body));
        response.headers_mut().extend(headers);
        Ok(response)
    }
}

impl PageEndpoint {
    fn made_for(&self, prefix: &str) -> (Bytes, HeaderMap) {
        let Page { text, before, base, headers, clock, .. } = &self.page;
        let now = clock.as_ref().map(|clock| clock.now());
        let week = now.and_then(spec::week_of);
        let wanted = Made { prefix: prefix.to_owned(), week };
        // Held meanwhile: who asks for the same waits for it to be made once.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, body, headers)) = last.as_ref().filter(|(made, ..)| *made == wanted) {
            return (body.clone(), headers.clone());
        }
        // The document says where the operations are, and an app may have mounted the API anywhere.
        let here =
            text().replacen(&format!("{before}{base}"), &format!("{before}{prefix}{base}"), 1);
        let shown = match now {
            Some(now) => spec::all_as_of(&here, now),
            None => here,
        };
        let headers = headers(&shown);
        let body = Bytes::from(shown);
        *last = Some((wanted, body.clone(), headers.clone()));
        (body, headers)
    }
}

#[cfg(test)]
mod tests {
    use booking_core::ManualClock;

    use super::*;

    #[test]
    fn answers_share_their_bytes_until_the_page_is_another() {
        let clock = Arc::new(ManualClock::new("2024-01-01T12:00:00Z".parse().unwrap()));
        let page = PageEndpoint::from(Page {
            content_type: "text/plain",
            text: Box::new(|| "at /api on 2024-01-15".to_owned()),
            before: "at ",
            base: "/api".to_owned(),
            headers: |_| HeaderMap::new(),
            clock: Some(clock.clone()),
        });
        let made = |prefix| page.made_for(prefix).0;
        let first = made("");
        assert_eq!(first, "at /api on 2024-01-15");
        assert_eq!(made("").as_ptr(), first.as_ptr(), "the same bytes, not the same text");
        assert_eq!(made("/here"), "at /here/api on 2024-01-15");
        clock.set("2024-01-08T00:00:00Z".parse().unwrap());
        assert_eq!(made(""), "at /api on 2024-01-22");
    }
}
