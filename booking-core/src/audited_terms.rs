//! Entries of the audit log for how therapists want to be booked.

use crate::audit::{AuditAction, AuditEntry, AuditSubject, By, SubjectKind};
use crate::audited::{Audited, Fields};
use crate::overrides::AvailabilityOverride;
use crate::settings::{MeetingUrlTemplate, Settings, TherapistSettings};
use crate::store::Write;
use crate::text::Text;

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

    /// A new override.
    #[must_use]
    pub fn insert_override(by: By, new: AvailabilityOverride) -> Self {
        let created = AuditAction::OverrideCreated;
        let entry = override_entry(by, created, &new).comparing(None, Some(override_fields(&new)));
        Self::of(Write::InsertOverride(new), entry)
    }

    /// An override that was there, as it is from now on.
    #[must_use]
    pub fn update_override(
        by: By,
        before: &AvailabilityOverride,
        after: AvailabilityOverride,
    ) -> Self {
        let entry = override_entry(by, AuditAction::OverrideUpdated, &after)
            .comparing(Some(override_fields(before)), Some(override_fields(&after)));
        Self::of(Write::UpdateOverride(after), entry)
    }

    /// An override that is to go.
    #[must_use]
    pub fn delete_override(by: By, before: &AvailabilityOverride) -> Self {
        let entry = override_entry(by, AuditAction::OverrideDeleted, before)
            .comparing(Some(override_fields(before)), None);
        Self::of(Write::DeleteOverride(before.id), entry)
    }
}

fn override_entry(by: By, action: AuditAction, one: &AvailabilityOverride) -> AuditEntry {
    let subject = AuditSubject { kind: SubjectKind::Override, id: one.id.to_string() };
    AuditEntry::new(by, action, subject, [&one.therapist])
}

fn override_fields(one: &AvailabilityOverride) -> Fields<'_> {
    let AvailabilityOverride {
        id: _,
        therapist,
        dates,
        windows,
        notes,
        created_at: _,
        updated_at: _,
    } = one;
    let windows = windows.as_slice().iter();
    let windows: Vec<String> =
        windows.map(|window| format!("{}-{}", window.start(), window.end())).collect();
    let mut fields = Fields::default();
    fields.show("therapistId", Some(therapist.to_string()));
    fields.show("firstDate", Some(dates.first().to_string()));
    fields.show("lastDate", Some(dates.last().to_string()));
    fields.show("windows", (!windows.is_empty()).then(|| windows.join(",")));
    fields.withhold("notes", notes.as_ref().map(Text::as_str));
    fields
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
