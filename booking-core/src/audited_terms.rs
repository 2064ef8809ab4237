//! Entries of the audit log for how therapists want to be booked.

use crate::audit::{AuditAction, AuditEntry, AuditSubject, By, SubjectKind};
use crate::audited::{Audited, Fields};
use crate::settings::{MeetingUrlTemplate, Settings, TherapistSettings};
use crate::store::Write;

impl Audited {
    /// A therapist's settings, as they are from now on.
    #[must_use]
    pub fn put_settings(by: By, before: &TherapistSettings, after: TherapistSettings) -> Self {
        let therapist = &after.therapist;
        let id = therapist.as_str().to_owned();
        let subject = AuditSubject { kind: SubjectKind::Settings, id };
        let entry = AuditEntry::new(by, AuditAction::SettingsUpdated, subject, [therapist])
            .comparing(Some(settings_fields(before)), Some(settings_fields(&after)));
        Self::of(Write::PutSettings(after), entry)
    }
}

fn settings_fields(settings: &TherapistSettings) -> Fields<'_> {
    let TherapistSettings { therapist: _, version, settings, widest: _, updated_at: _ } = settings;
    let Settings {
        zone,
        interval,
        durations,
        buffers,
        minimum_notice,
        horizon,
        most_a_day,
        most_a_week,
        cancellation_deadline,
        reschedule_deadline,
        meeting_url,
    } = settings;
    let durations: Vec<String> = durations.iter().map(|d| d.minutes().to_string()).collect();
    let mut fields = Fields::default();
    fields.show("version", Some(version.to_string()));
    fields.show("timeZone", zone.map(|zone| zone.name().to_owned()));
    fields.show("slotInterval", Some(interval.to_string()));
    fields.show("durations", Some(durations.join(",")));
    fields.show("bufferBefore", Some(buffers.before.to_string()));
    fields.show("bufferAfter", Some(buffers.after.to_string()));
    fields.show("minimumNotice", Some(minimum_notice.to_string()));
    fields.show("bookingHorizon", horizon.map(|days| days.to_string()));
    fields.show("maxMeetingsPerDay", most_a_day.map(|most| most.to_string()));
    fields.show("maxMeetingsPerWeek", most_a_week.map(|most| most.to_string()));
    fields.show("cancellationDeadline", Some(cancellation_deadline.to_string()));
    fields.show("rescheduleDeadline", Some(reschedule_deadline.to_string()));
    // Whoever has it may join.
    fields.withhold("meetingUrlTemplate", meeting_url.as_ref().map(MeetingUrlTemplate::as_str));
    fields
}
