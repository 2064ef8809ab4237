//! Entries of linked calendars.

use super::Fields;
use crate::audit::{AuditAction, AuditEntry, AuditSubject, By, SubjectKind};
use crate::id::IdSource;
use crate::linked_calendar::LinkedCalendar;
use crate::text::Text;

impl AuditEntry {
    /// A calendar from elsewhere that counts from now on.
    #[must_use]
    pub fn of_new_link(by: By, link: &LinkedCalendar) -> Self {
        of_link(by, AuditAction::CalendarLinked, link).comparing(None, Some(fields(link)))
    }

    /// One that is read in another way from now on.
    #[must_use]
    pub fn of_changed_link(by: By, before: &LinkedCalendar, after: &LinkedCalendar) -> Self {
        of_link(by, AuditAction::CalendarChanged, after)
            .comparing(Some(fields(before)), Some(fields(after)))
    }

    /// One that counts no more.
    #[must_use]
    pub fn of_removed_link(by: By, link: &LinkedCalendar) -> Self {
        of_link(by, AuditAction::CalendarUnlinked, link).comparing(Some(fields(link)), None)
    }

    /// Those that go with a therapist who leaves the directory.
    #[must_use]
    pub fn of_removed_links(by: &By, links: &[LinkedCalendar], ids: &dyn IdSource) -> Vec<Self> {
        links.iter().map(|link| Self::of_removed_link(by.another(ids), link)).collect()
    }
}

fn of_link(by: By, action: AuditAction, link: &LinkedCalendar) -> AuditEntry {
    let subject = AuditSubject { kind: SubjectKind::Calendar, id: link.id.to_string() };
    AuditEntry::new(by, action, subject, [&link.therapist])
}

/// To whom something is asked, and perhaps sent, is what an auditor asks; the address itself may be all
/// that it takes to read the calendar.
fn fields(link: &LinkedCalendar) -> Fields<'_> {
    let LinkedCalendar {
        id: _,
        therapist,
        version,
        kind,
        label,
        host,
        location,
        zone,
        write_back,
        created_at: _,
        copy: _,
    } = link;
    let mut fields = Fields::default();
    fields.show("version", Some(version.to_string()));
    fields.show("therapistId", Some(therapist.to_string()));
    fields.show("kind", Some(kind.to_string()));
    fields.show("host", Some(host.as_str().to_owned()));
    fields.show("timeZone", zone.map(|zone| zone.name().to_owned()));
    fields.show("writeBack", Some(write_back.to_string()));
    fields.withhold("label", label.as_ref().map(Text::as_str));
    // Sealed, and named alone: whether it is another, and not what it is.
    let sealed = location.0.iter().map(|byte| format!("{byte:02x}"));
    fields.withhold("url", Some(sealed.collect::<String>()));
    fields
}
