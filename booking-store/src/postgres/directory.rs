//! A directory in the store, for services that have none.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use booking_core::{Directory, DirectoryAdmin, NewsOutcome, StoreError, User, UserId, UserNews};
use chrono_tz::Tz;
use sqlx::PgConnection;

use super::read::names;
use super::{PostgresStore, user_news};
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
}

#[async_trait]
impl DirectoryAdmin for PostgresStore {
    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.writers.call(async |connection| put_user(connection, user).await).await
    }

    async fn relate(&self, client: &UserId, therapist: &UserId) -> Result<(), StoreError> {
        self.writers.call(async |connection| relate(connection, client, therapist).await).await
    }

    async fn unrelate(&self, client: &UserId, therapist: &UserId) -> Result<(), StoreError> {
        self.writers.call(async |connection| unrelate(connection, client, therapist).await).await
    }

    async fn take_news(&self, news: &UserNews) -> Result<NewsOutcome, StoreError> {
        let take = || self.writers.call(async |connection| user_news::take(connection, news).await);
        self.writers.persist(take).await
    }
}

pub(super) async fn users(
    connection: &mut PgConnection,
    ids: &BTreeSet<UserId>,
) -> Result<HashMap<UserId, User>, Failure> {
    let select = sqlx::query_as!(
        UserRow,
        "SELECT id, role, first_name, last_name, email, zone FROM directory_user
         WHERE id = ANY($1::text[])",
        &names(ids),
    );
    let users: Vec<User> = rows::all(select.fetch_all(connection).await?)?;
    Ok(users.into_iter().map(|user| (user.id.clone(), user)).collect())
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

pub(super) async fn put_user(connection: &mut PgConnection, user: &User) -> Result<(), Failure> {
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
) -> Result<(), Failure> {
    let relate = sqlx::query!(
        "INSERT INTO relationship (client_id, therapist_id) VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        client.as_str(),
        therapist.as_str(),
    );
    relate.execute(connection).await?;
    Ok(())
}

async fn unrelate(
    connection: &mut PgConnection,
    client: &UserId,
    therapist: &UserId,
) -> Result<(), Failure> {
    let unrelate = sqlx::query!(
        "DELETE FROM relationship WHERE client_id = $1 AND therapist_id = $2",
        client.as_str(),
        therapist.as_str(),
    );
    unrelate.execute(connection).await?;
    Ok(())
}
