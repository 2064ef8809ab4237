//! A directory in the store, for services that have none.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use booking_core::{
    AuditEntry, By, ChangeError, Decline, Directory, DirectoryAdmin, DirectoryId, IdSource,
    NewsOutcome, Refusal, StoreError, User, UserId, UserNews, check_relationship,
};
use chrono_tz::Tz;
use sqlx::{Connection, PgConnection};

use super::read::names;
use super::{BEGIN, PostgresStore, audit, user_news};
use crate::error::Failure;
use crate::rows::{self, UserRow};

#[async_trait]
impl Directory for PostgresStore {
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError> {
        self.readers.call(async |connection| users(connection, ids).await).await
    }

    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError> {
        self.readers.call(async |connection| related(connection, client, therapist).await).await
    }

    fn id(&self) -> Option<DirectoryId> {
        Some(self.directory)
    }
}

#[async_trait]
impl DirectoryAdmin for PostgresStore {
    async fn put_user(&self, user: &User, by: By) -> Result<(), StoreError> {
        self.writers.call(async |connection| put_user(connection, user, by).await).await
    }

    async fn relate(&self, client: &UserId, therapist: &UserId, by: By) -> Result<(), ChangeError> {
        let call = async |one: &mut PgConnection| relate(one, client, therapist, by).await;
        Ok(self.writers.call(call).await?.map_err(Decline::from)?)
    }

    async fn unrelate(
        &self,
        client: &UserId,
        therapist: &UserId,
        by: By,
    ) -> Result<(), StoreError> {
        let call = async |one: &mut PgConnection| unrelate(one, client, therapist, by).await;
        self.writers.call(call).await
    }

    async fn take_news(
        &self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> Result<NewsOutcome, StoreError> {
        let take = async |one: &mut PgConnection| user_news::take(one, news, by.clone(), ids).await;
        self.writers.persist(|| self.writers.call(take)).await
    }
}

async fn users(
    connection: &mut PgConnection,
    ids: &BTreeSet<UserId>,
) -> Result<HashMap<UserId, User>, Failure> {
    let select = sqlx::query_as!(
        UserRow,
        "SELECT id, role, first_name, last_name, email, zone FROM directory_user
         WHERE id = ANY($1::text[])",
        &names(ids),
    );
    Ok(by_id(rows::all(select.fetch_all(connection).await?)?))
}

async fn related(
    connection: &mut PgConnection,
    client: &UserId,
    therapist: &UserId,
) -> Result<bool, Failure> {
    let select = sqlx::query_scalar!(
        r#"SELECT EXISTS (
            SELECT FROM relationship WHERE client_id = $1 AND therapist_id = $2
        ) AS "related!""#,
        client.as_str(),
        therapist.as_str(),
    );
    Ok(select.fetch_one(connection).await?)
}

async fn put_user(connection: &mut PgConnection, user: &User, by: By) -> Result<(), Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let before = lock(&mut transaction, &user.id).await?;
    let Some(entry) = AuditEntry::of_user(by, before.as_ref(), Some(user)) else {
        return Ok(());
    };
    put(&mut transaction, user).await?;
    audit::note(&mut transaction, Some(&entry)).await?;
    transaction.commit().await?;
    Ok(())
}

/// The user as they are: until the end of the transaction, nobody else changes them, whether they
/// are there or not.
pub(super) async fn lock(
    connection: &mut PgConnection,
    id: &UserId,
) -> Result<Option<User>, Failure> {
    let lock = sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('directory_user ' || $1, 0))",
        id.as_str(),
    );
    lock.fetch_one(&mut *connection).await?;
    Ok(users(connection, &BTreeSet::from([id.clone()])).await?.remove(id))
}

pub(super) async fn put(connection: &mut PgConnection, user: &User) -> Result<(), Failure> {
    let put = sqlx::query!(
        "INSERT INTO directory_user (id, role, first_name, last_name, email, zone)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET
            role = excluded.role, first_name = excluded.first_name,
            last_name = excluded.last_name, email = excluded.email, zone = excluded.zone",
        user.id.as_str(),
        user.role.as_str(),
        user.first_name.as_str(),
        user.last_name.as_str(),
        user.email.as_str(),
        user.zone.map(Tz::name),
    );
    put.execute(connection).await?;
    Ok(())
}

async fn relate(
    connection: &mut PgConnection,
    client: &UserId,
    therapist: &UserId,
    by: By,
) -> Result<Result<(), Refusal>, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let two = BTreeSet::from([client.clone(), therapist.clone()]);
    let users = steady(&mut transaction, &two).await?;
    if let Err(refusal) = check_relationship(client, therapist, &users) {
        return Ok(Err(refusal));
    }
    let relate = sqlx::query!(
        "INSERT INTO relationship (client_id, therapist_id) VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        client.as_str(),
        therapist.as_str(),
    );
    if relate.execute(&mut *transaction).await?.rows_affected() > 0 {
        let entry = AuditEntry::of_new_relationship(by, client, therapist);
        audit::note(&mut transaction, Some(&entry)).await?;
    }
    transaction.commit().await?;
    Ok(Ok(()))
}

/// The users with these ids: until the end of the transaction they stay, and as they are.
async fn steady(
    connection: &mut PgConnection,
    ids: &BTreeSet<UserId>,
) -> Result<HashMap<UserId, User>, Failure> {
    let select = sqlx::query_as!(
        UserRow,
        "SELECT id, role, first_name, last_name, email, zone
         FROM directory_user WHERE id = ANY($1::text[]) ORDER BY id FOR SHARE",
        &names(ids),
    );
    Ok(by_id(rows::all(select.fetch_all(connection).await?)?))
}

fn by_id(users: Vec<User>) -> HashMap<UserId, User> {
    users.into_iter().map(|user| (user.id.clone(), user)).collect()
}

async fn unrelate(
    connection: &mut PgConnection,
    client: &UserId,
    therapist: &UserId,
    by: By,
) -> Result<(), Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let unrelate = sqlx::query!(
        "DELETE FROM relationship WHERE client_id = $1 AND therapist_id = $2",
        client.as_str(),
        therapist.as_str(),
    );
    if unrelate.execute(&mut *transaction).await?.rows_affected() > 0 {
        let entry = AuditEntry::of_ended_relationship(by, client, therapist);
        audit::note(&mut transaction, Some(&entry)).await?;
    }
    transaction.commit().await?;
    Ok(())
}
