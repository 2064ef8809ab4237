//! Holds, with the entries of the audit log that say who placed them, and what became of them. That one
//! expires is nobody's doing, and leaves none.

use super::{Audited, Fields};
use crate::audit::{AuditAction, AuditEntry, AuditSubject, By, SubjectKind};
use crate::hold::Hold;
use crate::instant::format_instant;
use crate::settings::Buffer;
use crate::store::Write;

impl Audited {
    /// A new hold.
    #[must_use]
    pub fn put_hold(by: By, hold: Hold) -> Self {
        let entry = hold_entry(by, AuditAction::HoldPlaced, &hold)
            .comparing(None, Some(hold_fields(&hold)));
        Self { write: Write::PutHold(hold), entry }
    }

    /// A hold that its holder gives up.
    #[must_use]
    pub fn release_hold(by: By, hold: &Hold) -> Self {
        Self::delete_hold(by, AuditAction::HoldReleased, hold)
    }

    /// A hold in whose time its holder meets the therapist.
    #[must_use]
    pub fn use_hold(by: By, hold: &Hold) -> Self {
        Self::delete_hold(by, AuditAction::HoldUsed, hold)
    }

    fn delete_hold(by: By, action: AuditAction, hold: &Hold) -> Self {
        let entry = hold_entry(by, action, hold).comparing(Some(hold_fields(hold)), None);
        Self { write: Write::DeleteHold(hold.id), entry }
    }
}

fn hold_entry(by: By, action: AuditAction, hold: &Hold) -> AuditEntry {
    let subject = AuditSubject { kind: SubjectKind::Hold, id: hold.id.to_string() };
    AuditEntry::new(by, action, subject, [&hold.holder, &hold.therapist])
}

fn hold_fields(hold: &Hold) -> Fields<'_> {
    let Hold { id: _, holder, therapist, start, duration, buffers, created_at: _, expires_at } =
        hold;
    let mut fields = Fields::default();
    fields.show("holderId", Some(holder.to_string()));
    fields.show("therapistId", Some(therapist.to_string()));
    fields.show("startTime", Some(format_instant(*start)));
    fields.show("duration", Some(duration.minutes().to_string()));
    let kept = |buffer: Buffer| (buffer != Buffer::MIN).then(|| buffer.to_string());
    fields.show("bufferBefore", kept(buffers.before));
    fields.show("bufferAfter", kept(buffers.after));
    fields.show("expiresAt", Some(format_instant(*expires_at)));
    fields
}
