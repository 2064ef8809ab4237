//! The audit log in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::audit::{AuditEntry, AuditLog, AuditPlace, AuditQuery};
use crate::store::StoreError;

/// Entries by their place.
#[derive(Debug, Default)]
pub(super) struct Entries(BTreeMap<AuditPlace, AuditEntry>);

impl Entries {
    pub(super) fn append(&mut self, entry: AuditEntry) {
        self.0.insert(entry.place(), entry);
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let wanted = |entry: &&AuditEntry| {
            query.author.as_ref().is_none_or(|author| entry.author.id() == author.as_str())
                && query.person.as_ref().is_none_or(|person| entry.people.contains(person))
                && query.subject.as_ref().is_none_or(|subject| entry.subject.id == *subject)
                && query.from.is_none_or(|from| entry.at >= from)
                && query.to.is_none_or(|to| entry.at < to)
                && query.after.is_none_or(|after| entry.place() < after)
        };
        let state = self.state();
        let latest_first = state.audit.0.values().rev().filter(wanted);
        Ok(latest_first.take(query.limit as usize).cloned().collect())
    }

    async fn forget_audit(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let mut state = self.state();
        let mut gone = 0;
        while gone < limit
            && let Some(oldest) = state.audit.0.first_entry()
            && oldest.key().at < before
        {
            oldest.remove();
            gone += 1;
        }
        Ok(gone)
    }
}
