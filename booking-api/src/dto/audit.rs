//! The audit log.

use booking_core::{
    AuditAction, AuditEntry, AuditId, AuditPlace, Author, FieldChange, SubjectKind, UserId,
};
use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::registry::MetaSchema;
use serde_json::Value;

use crate::params::cursor;
use crate::wire::{OnWire, Wire};

/// One change: who, what, and when.
#[derive(Debug, Object)]
#[oai(rename = "AuditEntry", rename_all = "camelCase")]
pub(crate) struct AuditEntryDto {
    /// Which one.
    id: String,
    /// When.
    at: Wire<DateTime<Utc>>,
    /// Who did it.
    actor: AuditActorDto,
    /// What they did.
    action: Wire<AuditAction>,
    /// To what.
    subject: AuditSubjectDto,
    /// Whom it concerns.
    people: Vec<Wire<UserId>>,
    /// The fields that changed.
    changes: Vec<AuditChangeDto>,
    /// The names of fields that changed too, and of which the log does not say what they held.
    withheld: Vec<String>,
}

/// Who changed something.
#[derive(Debug, Object)]
#[oai(rename = "AuditActor", rename_all = "camelCase")]
struct AuditActorDto {
    /// The user; `system:` and a name for a program of ours.
    id: String,
    /// The role that the user had then; `system` for a program of ours.
    role: Wire<AuditRole>,
}

/// What was changed.
#[derive(Debug, Object)]
#[oai(rename = "AuditSubject", rename_all = "camelCase")]
struct AuditSubjectDto {
    /// Of which kind it is.
    kind: Wire<SubjectKind>,
    /// Its id; of a relationship, those of client and therapist with a `/` in between.
    id: String,
}

/// A field that changed.
#[derive(Debug, Object)]
#[oai(rename = "AuditChange", rename_all = "camelCase")]
struct AuditChangeDto {
    /// Which.
    field: String,
    /// What it was, as text; null for nothing.
    #[oai(nullable)]
    before: Option<String>,
    /// What it is from then on, as text; null for nothing.
    #[oai(nullable)]
    after: Option<String>,
}

impl From<AuditEntry> for AuditEntryDto {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, author, action, subject, people, changes, withheld } = entry;
        let change = |FieldChange { field, before, after }| AuditChangeDto { field, before, after };
        Self {
            id: id.to_string(),
            at: Wire(at),
            actor: AuditActorDto { id: author.id(), role: Wire(AuditRole::of(&author)) },
            action: Wire(action),
            subject: AuditSubjectDto { kind: Wire(subject.kind), id: subject.id },
            people: people.into_iter().map(Wire).collect(),
            changes: changes.into_iter().map(change).collect(),
            withheld,
        }
    }
}

/// The role of an author.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditRole(&'static str);

impl AuditRole {
    const ALL: [&'static str; 4] = ["client", "therapist", "admin", "system"];

    const fn of(author: &Author) -> Self {
        Self(author.role())
    }
}

impl OnWire for AuditRole {
    const NAME: &'static str = "AuditRole";
    const IS_NAMED: bool = true;

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("The role in which something was changed"),
            enum_items: Self::ALL.map(Value::from).into(),
            ..MetaSchema::new("string")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| value == role);
        role.map(Self).ok_or_else(|| "must be a role, or system".to_owned())
    }

    fn write(&self) -> Value {
        self.0.into()
    }
}

/// The id of something that was changed.
#[derive(Debug, Clone)]
pub(crate) struct SubjectId(pub(crate) String);

impl SubjectId {
    /// A relationship's: two users and what is in between.
    const MAX_CHARS: usize = 2 * UserId::MAX_CHARS + 1;
}

impl OnWire for SubjectId {
    const NAME: &'static str = "SubjectId";

    fn schema() -> MetaSchema {
        MetaSchema {
            min_length: Some(1),
            max_length: Some(Self::MAX_CHARS),
            pattern: Some("^[!-~]+$".to_owned()),
            ..MetaSchema::new("string")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let id = value.as_str().filter(|id| (1..=Self::MAX_CHARS).contains(&id.len()));
        let id = id.filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()));
        let id = id.map(|id| Self(id.to_owned()));
        id.ok_or_else(|| format!("must have 1 to {} visible ASCII characters", Self::MAX_CHARS))
    }

    fn write(&self) -> Value {
        self.0.as_str().into()
    }
}

cursor!(AuditPlace { at, id: AuditId }, "AuditCursor");
