//! `/booking/audit`: who changed what, and when.

use std::sync::Arc;

use booking_core::{AuditLog, AuditPlace, AuditQuery, UserId};
use chrono::{DateTime, Utc};
use poem::Request;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use crate::api::Chapter;
use crate::auth::{ReadAudit, SignedIn};
use crate::body::plain;
use crate::dto::{AuditEntryDto, SubjectId};
use crate::params::{Limit, next_page};
use crate::problem::Problem;
use crate::wire::Wire;

/// How many entries are listed unless the caller says otherwise.
const PAGE: u32 = 100;

pub(crate) struct AuditApi(pub(crate) Arc<dyn AuditLog>);

#[derive(ApiResponse)]
enum Listed {
    /// The entries, the latest first.
    #[oai(status = 200)]
    Ok(
        Json<Vec<AuditEntryDto>>,
        /// When there is more: the address of the next page (RFC 8288).
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Chapter::Audit")]
impl AuditApi {
    /// List who changed what
    ///
    /// For admins. The latest changes first. There is an entry for everything that changed, and
    /// none for what was refused or changed nothing. What people typed is not in it: of such fields
    /// the log says that they changed. Whoever goes through the pages sees each entry that was there
    /// when they began, once.
    #[oai(path = "/booking/audit", method = "get", operation_id = "listAuditEntries")]
    #[expect(clippy::too_many_arguments, reason = "one for each query parameter")]
    async fn list(
        &self,
        _caller: SignedIn<ReadAudit>,
        request: &Request,
        /// Only changes by this user, or by a program of ours: `system:relay`.
        actor: Query<Option<Wire<UserId>>>,
        /// Only changes that concern this person.
        person: Query<Option<Wire<UserId>>>,
        /// Only changes of what has this id; of a relationship, `client_123/therapist_456`.
        subject: Query<Option<Wire<SubjectId>>>,
        /// Only changes at or after this instant.
        from: Query<Option<Wire<DateTime<Utc>>>>,
        /// Only changes before this instant.
        to: Query<Option<Wire<DateTime<Utc>>>>,
        /// At most so many.
        limit: Query<Option<Wire<Limit<{ AuditQuery::MAX_LIMIT }, PAGE>>>>,
        /// Where to go on: from the `Link` header of the page before.
        cursor: Query<Option<Wire<AuditPlace>>>,
    ) -> Result<Listed, Problem> {
        let limit = Limit::or_default(plain(limit.0)).get();
        let query = AuditQuery {
            author: plain(actor.0),
            person: plain(person.0),
            subject: plain(subject.0).map(|subject| subject.0),
            after: plain(cursor.0),
            // One more, to know whether there are more.
            ..AuditQuery::latest(limit + 1)
        };
        let query = query.between(plain(from.0), plain(to.0));
        let mut found = self.0.entries(&query).await?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let last = found.last().filter(|_| has_more);
        let link = last.map(|last| next_page(request, &last.place()));
        Ok(Listed::Ok(Json(found.into_iter().map(AuditEntryDto::from).collect()), link))
    }
}
