//! `/booking/series`.

use booking_core::{Booking, Refusal, SeriesId};
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{Book, SignedIn, UseMeeting};
use crate::body::Body;
use crate::dto::{BookedSeriesDto, SeriesCancelDto, SeriesCreateDto, SeriesDto, SeriesPreviewDto};
use crate::params::IdempotencyHeader;
use crate::problem::Problem;

pub(crate) struct SeriesApi(pub(crate) Booking);

#[derive(ApiResponse)]
enum Created {
    /// The sessions are booked, or those that are free.
    #[oai(status = 201)]
    Created(
        Json<BookedSeriesDto>,
        /// Where the series is.
        #[oai(header = "Location")]
        String,
        /// `true` when this is the first answer again.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Chapter::Series")]
impl SeriesApi {
    /// Look ahead at a series
    ///
    /// What would become of each session if the series were booked now; nothing is. For whoever may
    /// book it; `mode` makes no difference.
    #[oai(path = "/booking/series/preview", method = "post", operation_id = "previewSeries")]
    async fn preview(
        &self,
        caller: SignedIn<Book>,
        body: Body<SeriesCreateDto>,
    ) -> Result<Json<SeriesPreviewDto>, Problem> {
        Ok(Json(self.0.preview_series(&caller.actor, &body.0.into()).await?.into()))
    }

    /// Book sessions that recur
    ///
    /// All of them or nothing, or those that are free: in one change. Each session is at the same time
    /// on the clocks of the therapist's zone, and becomes a meeting like any other. A rule has at
    /// most 104 sessions within two years.
    #[oai(path = "/booking/series", method = "post", operation_id = "createSeries")]
    async fn create(
        &self,
        caller: SignedIn<Book>,
        request: &Request,
        /// Makes repeats of this request within 24 hours answer alike and book once.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyHeader,
        body: Body<SeriesCreateDto>,
    ) -> Result<Created, Problem> {
        let booked = self.0.book_series(&caller.actor, &body.0.into(), key.0).await?;
        let id = booked.value.view.series.id;
        let location = format!("{}/{id}", request.original_uri().path());
        let replayed = booked.replayed.then(|| "true".to_owned());
        Ok(Created::Created(Json(booked.value.into()), location, replayed))
    }

    /// Read a series
    ///
    /// For its participants: what was booked, and its meetings as they are now.
    #[oai(path = "/booking/series/:id", method = "get", operation_id = "getSeries")]
    async fn read(
        &self,
        caller: SignedIn<UseMeeting>,
        /// The series.
        id: Path<String>,
    ) -> Result<Json<SeriesDto>, Problem> {
        Ok(Json(self.0.series(&caller.actor, series_id(&id)?).await?.into()))
    }

    /// Cancel what is still to come of a series
    ///
    /// For its participants: all meetings that are still to come, or one and those after it, in one
    /// change. Meetings that have begun or are closed stay as they are. Where the therapist's deadline for
    /// cancelling has passed for one of them, clients cancel none. To cancel one alone, cancel the
    /// meeting. The body may be left out.
    #[oai(path = "/booking/series/:id/cancel", method = "post", operation_id = "cancelSeries")]
    async fn cancel(
        &self,
        caller: SignedIn<UseMeeting>,
        /// The series.
        id: Path<String>,
        body: Body<Option<SeriesCancelDto>>,
    ) -> Result<Json<SeriesDto>, Problem> {
        let (from, reason) = body.0.map(SeriesCancelDto::into_parts).unwrap_or_default();
        let id = series_id(&id)?;
        Ok(Json(self.0.cancel_series(&caller.actor, id, from, reason.as_ref()).await?.into()))
    }
}

/// A text that is no id of ours names no series of ours.
fn series_id(text: &str) -> Result<SeriesId, Problem> {
    text.parse().map_err(|_| Refusal::SeriesNotFound.into())
}
