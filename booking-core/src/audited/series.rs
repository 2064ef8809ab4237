//! Series, with the entries of the audit log that say who booked them.

use super::{Audited, Fields};
use crate::audit::{AuditAction, AuditEntry, AuditSubject, By, SubjectKind};
use crate::instant::format_instant;
use crate::series::Series;
use crate::store::Write;

impl Audited {
    /// A new series, whose meetings are written with it, each by itself.
    #[must_use]
    pub fn insert_series(by: By, series: Series) -> Self {
        let subject = AuditSubject { kind: SubjectKind::Series, id: series.id.to_string() };
        let people = [&series.client, &series.therapist];
        let entry = AuditEntry::new(by, AuditAction::SeriesCreated, subject, people)
            .comparing(None, Some(series_fields(&series)));
        Self { write: Write::InsertSeries(series), entry }
    }
}

fn series_fields(series: &Series) -> Fields<'_> {
    let Series {
        id: _,
        client,
        therapist,
        rule,
        except,
        start,
        duration,
        zone,
        created_at: _,
        meetings,
    } = series;
    let except: Vec<String> = except.iter().map(ToString::to_string).collect();
    let mut fields = Fields::default();
    fields.show("clientId", Some(client.to_string()));
    fields.show("therapistId", Some(therapist.to_string()));
    fields.show("rule", Some(rule.to_string()));
    fields.show("exDates", Some(except.join(",")).filter(|dates| !dates.is_empty()));
    fields.show("startTime", Some(format_instant(*start)));
    fields.show("duration", Some(duration.minutes().to_string()));
    fields.show("timeZone", Some(zone.name().to_owned()));
    fields.show("meetings", Some(meetings.len().to_string()));
    fields
}
