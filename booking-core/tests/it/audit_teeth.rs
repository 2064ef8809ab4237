//! The suite bites: audit logs that are wrong in ways that look right each fail the case that is
//! about it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::{Harness, World, audit, audit_pages};
use booking_core::{
    AuditEntry, AuditId, AuditLog, AuditPlace, AuditQuery, MemoryStore, StoreError,
};
use chrono::{DateTime, Utc};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Goes on after a time, and so leaves out what else there is of that time.
    PagesByTimeAlone,
    /// Looks for a person in two places only.
    MissesTheThird,
    /// Numbers are drawn before the commit: an entry is seen a little after its change.
    SeenLater,
    /// Forgets all that is old at once.
    ForgetsWithoutLimit,
}

struct Faulty {
    inner: Arc<MemoryStore>,
    fault: Fault,
    looked_at: Mutex<BTreeSet<AuditId>>,
}

#[async_trait]
impl AuditLog for Faulty {
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let mut query = query.clone();
        if self.fault == Fault::PagesByTimeAlone {
            let least = AuditId::from_uuid(uuid::Uuid::nil());
            query.after = query.after.map(|after| AuditPlace { id: least, ..after });
        }
        let mut entries = self.inner.entries(&query).await?;
        if let (Fault::MissesTheThird, Some(person)) = (self.fault, &query.person) {
            entries.retain(|entry| entry.people.iter().take(2).any(|one| one == person));
        }
        if self.fault == Fault::SeenLater {
            let mut looked_at = self.looked_at.lock().unwrap();
            entries.retain(|entry| !looked_at.insert(entry.id));
        }
        Ok(entries)
    }

    async fn forget_audit(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let all = self.fault == Fault::ForgetsWithoutLimit && limit > 0;
        self.inner.forget_audit(before, if all { u32::MAX } else { limit }).await
    }
}

fn harness(fault: Fault) -> Harness {
    let inner = Arc::new(MemoryStore::default());
    let audit = Arc::new(Faulty { inner: inner.clone(), fault, looked_at: Mutex::default() });
    Harness { audit, ..Harness::new(inner, ()) }
}

macro_rules! fails {
    ($($test:ident: $fault:ident fails $case:path;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let run = async { $case(World::new(harness(Fault::$fault)).await).await };
                let run = tokio::time::timeout(Duration::from_mins(10), run);
                let end = tokio::spawn(run).await;
                assert!(end.is_err(), "{} did not notice: {end:?}", stringify!($case));
            }
        )+
    };
}

fails! {
    pages_by_time_alone: PagesByTimeAlone fails audit_pages::pages_are_stable;
    misses_the_third: MissesTheThird fails audit_pages::pages_are_stable;
    seen_later: SeenLater fails audit::each_change_has_its_entry;
    forgets_without_limit: ForgetsWithoutLimit fails audit_pages::old_entries_are_forgotten;
}
