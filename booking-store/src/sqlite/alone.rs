//! Writers that have a transaction to themselves.

use std::ops::{Deref, DerefMut};

use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::time::Instant;

use super::writer::Place;
use crate::error::Failure;

/// A transaction that nobody else has a part in. Dropped before it commits, it rolls back.
#[derive(Debug)]
pub(super) struct Alone {
    // Ends first.
    transaction: Transaction<'static, Sqlite>,
    _taken: Taken,
}

/// The file, from other processes.
#[derive(Debug)]
struct Taken {
    place: Place,
    since: Instant,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let since = self.since;
        self.place.pace.taken_since(since);
    }
}

impl Alone {
    pub(super) fn of(transaction: Transaction<'static, Sqlite>, place: Place) -> Self {
        Self { transaction, _taken: Taken { place, since: Instant::now() } }
    }

    pub(super) async fn commit(self) -> Result<(), Failure> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Alone {
    type Target = SqliteConnection;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transaction
    }
}
