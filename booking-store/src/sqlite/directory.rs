//! A directory in the store, for services that have none.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use booking_core::{
    AuditEntry, By, ChangeError, Decline, Directory, DirectoryAdmin, DirectoryId, IdSource,
    NewsOutcome, Refusal, StoreError, User, UserId, UserNews, check_relationship,
};
use chrono_tz::Tz;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{SqliteStore, audit};
use crate::error::Failure;
use crate::rows::{self, UserRow};

pub(super) const USERS: &str =
    "SELECT * FROM directory_user WHERE id IN (SELECT value FROM json_each(?1))";

pub(super) const RELATED: &str =
    "SELECT EXISTS (SELECT 1 FROM relationship WHERE client_id = ?1 AND therapist_id = ?2)";

const PUT_USER: &str = "
    INSERT INTO directory_user (id, role, first_name, last_name, email, zone)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (id) DO UPDATE SET
        role = excluded.role, first_name = excluded.first_name, last_name = excluded.last_name,
        email = excluded.email, zone = excluded.zone";

const RELATE: &str = "
    INSERT INTO relationship (client_id, therapist_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

pub(super) const UNRELATE: &str =
    "DELETE FROM relationship WHERE client_id = ?1 AND therapist_id = ?2";

#[async_trait]
impl Directory for SqliteStore {
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError> {
        Ok(users(&self.readers, ids).await?)
    }

    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError> {
        Ok(related(&self.readers, client, therapist).await?)
    }

    fn id(&self) -> Option<DirectoryId> {
        Some(self.directory)
    }
}

pub(super) async fn users(
    executor: impl SqliteExecutor<'_>,
    ids: &BTreeSet<UserId>,
) -> Result<HashMap<UserId, User>, Failure> {
    let select = sqlx::query_as::<_, UserRow>(USERS).bind(rows::people(ids)?);
    let users: Vec<User> = rows::all(select.fetch_all(executor).await?)?;
    Ok(users.into_iter().map(|user| (user.id.clone(), user)).collect())
}

pub(super) async fn related(
    executor: impl SqliteExecutor<'_>,
    client: &UserId,
    therapist: &UserId,
) -> Result<bool, Failure> {
    let select = sqlx::query_scalar(RELATED).bind(client.as_str()).bind(therapist.as_str());
    Ok(select.fetch_one(executor).await?)
}

#[async_trait]
impl DirectoryAdmin for SqliteStore {
    async fn put_user(&self, user: &User, by: By) -> Result<(), StoreError> {
        Ok(self.put(user, by).await?)
    }

    async fn relate(&self, client: &UserId, therapist: &UserId, by: By) -> Result<(), ChangeError> {
        let entry = AuditEntry::of_new_relationship(by, client, therapist);
        Ok(self.add_relationship(client, therapist, &entry).await?.map_err(Decline::from)?)
    }

    async fn unrelate(
        &self,
        client: &UserId,
        therapist: &UserId,
        by: By,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry::of_ended_relationship(by, client, therapist);
        let mut transaction = self.begin_write().await?;
        change_relationship(&mut transaction, UNRELATE, client, therapist, &entry).await?;
        Ok(transaction.commit().await?)
    }

    async fn take_news(
        &self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> Result<NewsOutcome, StoreError> {
        Ok(self.news(news, by, ids).await?)
    }
}

impl SqliteStore {
    async fn put(&self, user: &User, by: By) -> Result<(), Failure> {
        let mut transaction = self.begin_write().await?;
        let before = self::user(&mut transaction, &user.id).await?;
        let Some(entry) = AuditEntry::of_user(by, before.as_ref(), Some(user)) else {
            return Ok(());
        };
        put_user(&mut transaction, user).await?;
        audit::note(&mut transaction, Some(&entry)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Nobody else writes meanwhile: the two are as they are found.
    async fn add_relationship(
        &self,
        client: &UserId,
        therapist: &UserId,
        entry: &AuditEntry,
    ) -> Result<Result<(), Refusal>, Failure> {
        let mut transaction = self.begin_write().await?;
        let two = BTreeSet::from([client.clone(), therapist.clone()]);
        let users = users(&mut *transaction, &two).await?;
        if let Err(refusal) = check_relationship(client, therapist, &users) {
            return Ok(Err(refusal));
        }
        change_relationship(&mut transaction, RELATE, client, therapist, entry).await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }
}

/// For both statements; notes the entry if there was anything to do.
async fn change_relationship(
    connection: &mut SqliteConnection,
    statement: &'static str,
    client: &UserId,
    therapist: &UserId,
    entry: &AuditEntry,
) -> Result<(), Failure> {
    let change = sqlx::query(statement).bind(client.as_str()).bind(therapist.as_str());
    if change.execute(&mut *connection).await?.rows_affected() > 0 {
        audit::note(connection, Some(entry)).await?;
    }
    Ok(())
}

pub(super) async fn user(
    connection: &mut SqliteConnection,
    id: &UserId,
) -> Result<Option<User>, Failure> {
    let select = sqlx::query_as::<_, UserRow>(USERS).bind(rows::people([id])?);
    rows::one(select.fetch_optional(connection).await?)
}

pub(super) async fn put_user(
    connection: &mut SqliteConnection,
    user: &User,
) -> Result<(), Failure> {
    let put = sqlx::query(PUT_USER)
        .bind(user.id.as_str())
        .bind(user.role.as_str())
        .bind(user.first_name.as_str())
        .bind(user.last_name.as_str())
        .bind(user.email.as_str())
        .bind(user.zone.map(Tz::name));
    put.execute(connection).await?;
    Ok(())
}
