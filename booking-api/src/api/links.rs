//! `/booking/calendars`: calendars from elsewhere that keep therapists busy.

use std::sync::Arc;

use booking_core::{
    CalendarHost, CalendarLinks, LinkPatch, LinkedCalendar, LinkedCalendarId, NewLink, Refusal,
    SealedLocation, Text,
};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;

use crate::Api;
use crate::api::Chapter;
use crate::auth::{ManageAvailability, SignedIn};
use crate::body::{Body, plain};
use crate::dto::link::{said, write_back};
use crate::dto::{LinkedCalendarCreateDto, LinkedCalendarDto, LinkedCalendarUpdateDto};
use crate::problem::{Code, FieldError, Problem};

/// Seals where calendars are.
pub(crate) trait Sealer: Send + Sync {
    /// What is shown of a location, and all of it for the store. `credentials` are a user name and a
    /// password.
    fn seal(
        &self,
        id: LinkedCalendarId,
        url: &str,
        credentials: Option<(&str, &str)>,
    ) -> Result<(CalendarHost, SealedLocation), Problem>;

    /// Whether a link is sealed as it would be today, and leads where this does, which is sealed for it too.
    fn leads_there(&self, link: &LinkedCalendar, location: &SealedLocation) -> bool;
}

/// What the API knows of linked calendars.
#[derive(Clone)]
pub(crate) struct Linked {
    pub(crate) links: CalendarLinks,
    /// None where nobody has a key.
    pub(crate) sealer: Option<Arc<dyn Sealer>>,
}

/// Without linked calendars, nothing of this is in the document, and nobody finds it.
#[derive(Clone)]
pub(crate) struct LinksApi(Option<Linked>);

#[derive(ApiResponse)]
enum Created {
    /// The calendar is linked. Its busy times count as soon as it was read.
    #[oai(status = 201)]
    Created(Json<LinkedCalendarDto>),
}

#[derive(ApiResponse)]
enum Removed {
    /// It is linked no more.
    #[oai(status = 204)]
    NoContent,
}

#[derive(ApiResponse)]
enum Accepted {
    /// It will be read soon.
    #[oai(status = 202)]
    Accepted,
}

#[OpenApi(tag = "Chapter::Availability")]
impl LinksApi {
    /// Link a calendar from elsewhere
    ///
    /// For therapists: a file at a URL, or a collection on a CalDAV server. Whenever it is busy, no session
    /// can be booked. It is read in the background, at once and then every some minutes; while it
    /// cannot be, what was read last goes on to count. Everybody can link 10.
    #[oai(path = "/booking/calendars", method = "post", operation_id = "linkCalendar")]
    async fn link(
        &self,
        caller: SignedIn<ManageAvailability>,
        body: Body<LinkedCalendarCreateDto>,
    ) -> Result<Created, Problem> {
        let links = self.links()?;
        let LinkedCalendarCreateDto {
            kind,
            url,
            username,
            password,
            label,
            time_zone,
            write_back: on,
        } = body.0;
        let id = links.new_id();
        let (username, password) = (said(username), said(password));
        let (host, location) = self.seal(id, &url.0, username.as_ref(), password.as_ref())?;
        let new = NewLink {
            id,
            kind: kind.0,
            label: said(label),
            host,
            location,
            zone: plain(time_zone.take()),
            write_back: write_back(on),
        };
        Ok(Created::Created(Json(links.add(&caller.actor, new).await?.into())))
    }

    /// List one's linked calendars
    ///
    /// For therapists; the oldest first, without addresses and passwords.
    #[oai(path = "/booking/calendars", method = "get", operation_id = "listLinkedCalendars")]
    async fn list(
        &self,
        caller: SignedIn<ManageAvailability>,
    ) -> Result<Json<Vec<LinkedCalendarDto>>, Problem> {
        let links = self.links()?.list(&caller.actor).await?;
        Ok(Json(links.into_iter().map(LinkedCalendarDto::from).collect()))
    }

    /// Read a linked calendar's state
    ///
    /// For its therapist, without its address and password.
    #[oai(path = "/booking/calendars/:id", method = "get", operation_id = "getLinkedCalendar")]
    async fn read(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The linked calendar.
        id: Path<String>,
    ) -> Result<Json<LinkedCalendarDto>, Problem> {
        Ok(Json(self.links()?.get(&caller.actor, link_id(&id)?).await?.into()))
    }

    /// Change a linked calendar
    ///
    /// For its therapist. All of it, but for its address, which stays as it is when left out, with what
    /// opens it. Is it to be read elsewhere or in another way, that is done soon, and within a minute after
    /// it was read last; the times of before count until then. Nothing new changes nothing.
    #[oai(path = "/booking/calendars/:id", method = "put", operation_id = "updateLinkedCalendar")]
    async fn change(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The linked calendar.
        id: Path<String>,
        body: Body<LinkedCalendarUpdateDto>,
    ) -> Result<Json<LinkedCalendarDto>, Problem> {
        let (links, id) = (self.links()?, link_id(&id)?);
        let LinkedCalendarUpdateDto { url, username, password, label, time_zone, write_back: on } =
            body.0;
        let location = match (url, said(username), said(password)) {
            (Some(url), username, password) => {
                let sealed = self.seal(id, &url.0, username.as_ref(), password.as_ref())?;
                Some(self.unless_there(links.get(&caller.actor, id).await?, sealed))
            }
            (None, None, None) => None,
            (None, ..) => {
                let detail = "is required where there are a user name and a password";
                return Err(Problem::invalid(vec![FieldError::at("url", detail)]));
            }
        };
        let patch = LinkPatch {
            label: said(label),
            zone: plain(time_zone.take()),
            write_back: write_back(on),
            location,
        };
        Ok(Json(links.change(&caller.actor, id, &patch).await?.into()))
    }

    /// Unlink a calendar
    ///
    /// For its therapist. What it kept from being booked can be booked again.
    #[oai(path = "/booking/calendars/:id", method = "delete", operation_id = "unlinkCalendar")]
    async fn remove(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The linked calendar.
        id: Path<String>,
    ) -> Result<Removed, Problem> {
        self.links()?.remove(&caller.actor, link_id(&id)?).await?;
        Ok(Removed::NoContent)
    }

    /// Have a linked calendar read again
    ///
    /// For its therapist. Soon, and not within a minute after it was read last: then this does nothing.
    #[oai(
        path = "/booking/calendars/:id/refresh",
        method = "post",
        operation_id = "refreshLinkedCalendar"
    )]
    async fn refresh(
        &self,
        caller: SignedIn<ManageAvailability>,
        /// The linked calendar.
        id: Path<String>,
    ) -> Result<Accepted, Problem> {
        self.links()?.refresh(&caller.actor, link_id(&id)?).await?;
        Ok(Accepted::Accepted)
    }
}

impl LinksApi {
    pub(crate) fn of(api: &Api) -> Self {
        Self(api.linked.clone())
    }

    fn links(&self) -> Result<&CalendarLinks, Problem> {
        let nothing = || Problem::new(Code::NotFound, "there is nothing at this address");
        self.0.as_ref().map(|linked| &linked.links).ok_or_else(nothing)
    }

    fn seal(
        &self,
        id: LinkedCalendarId,
        url: &Text<2_000>,
        username: Option<&Text<500>>,
        password: Option<&Text<500>>,
    ) -> Result<(CalendarHost, SealedLocation), Problem> {
        let sealer = self.0.as_ref().and_then(|linked| linked.sealer.as_ref());
        let sealer = sealer.ok_or_else(|| {
            Problem::new(Code::CalendarsDisabled, "this server links no calendars: it has no key")
        })?;
        let credentials = match (username, password) {
            (Some(username), Some(password)) => Some((username.as_str(), password.as_str())),
            (None, None) => None,
            (Some(_), None) => return Err(missing("password", "a user name")),
            (None, Some(_)) => return Err(missing("username", "a password")),
        };
        sealer.seal(id, url.as_str(), credentials)
    }

    /// Sealed bytes are others each time: where a link leads is what it was, unless it is somewhere else.
    fn unless_there(
        &self,
        link: LinkedCalendar,
        (host, location): (CalendarHost, SealedLocation),
    ) -> (CalendarHost, SealedLocation) {
        let sealer = self.0.as_ref().and_then(|linked| linked.sealer.as_ref());
        if sealer.is_some_and(|sealer| sealer.leads_there(&link, &location)) {
            (link.host, link.location)
        } else {
            (host, location)
        }
    }

    /// As feeds: always there, and taken out of the document where there are none.
    pub(crate) fn describe(&self, document: &mut Value) {
        if self.0.is_some() {
            return;
        }
        if let Some(paths) = document["paths"].as_object_mut() {
            paths.retain(|path, _| !path.starts_with("/booking/calendars"));
        }
        if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
            schemas.retain(|name, _| !name.starts_with("LinkedCalendar"));
        }
    }
}

fn missing(field: &str, beside: &str) -> Problem {
    Problem::invalid(vec![FieldError::at(field, format!("is required where there is {beside}"))])
}

/// A text that is no id of ours names no calendar of ours.
fn link_id(text: &str) -> Result<LinkedCalendarId, Problem> {
    text.parse().map_err(|_| Refusal::CalendarNotFound.into())
}

#[cfg(feature = "calendars")]
mod sealing {
    use booking_core::{CalendarHost, LinkedCalendar, LinkedCalendarId, SealedLocation, Text};

    use super::{Arc, CalendarLinks, Linked, Sealer};
    use crate::Api;
    use crate::calendars::{Credentials, InvalidCredentials, Location, OutsideCalendars};
    use crate::problem::{FieldError, Problem};

    impl Sealer for OutsideCalendars {
        fn seal(
            &self,
            id: LinkedCalendarId,
            url: &str,
            credentials: Option<(&str, &str)>,
        ) -> Result<(CalendarHost, SealedLocation), Problem> {
            let wrong =
                |field: &str, why: String| Problem::invalid(vec![FieldError::at(field, why)]);
            let mut location =
                Location::new(url).map_err(|error| wrong("url", error.to_string()))?;
            if let Some((username, password)) = credentials {
                let known = Credentials::new(username.to_owned(), password.to_owned());
                let known = known.map_err(|error| match error {
                    InvalidCredentials::Username => wrong("username", error.to_string()),
                    InvalidCredentials::Password => wrong("password", error.to_string()),
                })?;
                location = location.with_credentials(known);
            }
            self.check(&location).map_err(|error| wrong("url", error.to_string()))?;
            let host = Text::new(location.host());
            let host = host.map_err(|_| wrong("url", "has too long a host".to_owned()))?;
            let sealed = Self::seal(self, &location, id).map_err(Problem::internal)?;
            Ok((host, sealed))
        }

        fn leads_there(&self, link: &LinkedCalendar, location: &SealedLocation) -> bool {
            Self::leads_there(self, link, location)
        }
    }

    impl Api {
        /// Adds the endpoints by which therapists link calendars from elsewhere; who has no way to read
        /// them may list and remove what is linked, and nothing else. They are read by a
        /// [`Copier`](booking_core::Copier).
        #[must_use]
        pub fn with_linked_calendars(
            mut self,
            links: CalendarLinks,
            outside: Option<OutsideCalendars>,
        ) -> Self {
            let sealer = outside.map(|outside| Arc::new(outside) as Arc<dyn Sealer>);
            self.linked = Some(Linked { links, sealer });
            self
        }
    }
}
