//! What an identity provider tells of users, in one transaction per message.

use booking_core::{
    AuditEntry, By, DirectoryEntry, IdSource, LastNews, NewsOutcome, User, UserId, UserNews,
    UserStanding,
};
use sqlx::{Row, SqliteConnection};

use super::directory::{put_user, user};
use super::{SqliteStore, audit, feeds, links};
use crate::error::Failure;
use crate::rows;

const REMEMBER: &str =
    "INSERT INTO user_news_message (id, received_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// A few at a time: no message pays for all the others.
pub(super) const FORGET: &str = "
    DELETE FROM user_news_message WHERE rowid IN (
        SELECT rowid FROM user_news_message WHERE received_ms < ?1 ORDER BY received_ms LIMIT 16
    )";

pub(super) const LAST: &str = "SELECT changed_ms, standing FROM user_news WHERE user_id = ?1";

const NOTE: &str = "
    INSERT INTO user_news (user_id, changed_ms, standing) VALUES (?1, ?2, ?3)
    ON CONFLICT (user_id) DO UPDATE SET
        changed_ms = excluded.changed_ms, standing = excluded.standing";

pub(super) const REMOVE_RELATIONSHIPS: &str =
    "DELETE FROM relationship WHERE client_id = ?1 OR therapist_id = ?1
     RETURNING client_id, therapist_id";

pub(super) const REMOVE_USER: &str = "DELETE FROM directory_user WHERE id = ?1";

impl SqliteStore {
    pub(super) async fn news(
        &self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> Result<NewsOutcome, Failure> {
        let mut transaction = self.begin_write().await?;
        let outcome = take(&mut transaction, news, by, ids).await?;
        transaction.commit().await?;
        Ok(outcome)
    }
}

async fn take(
    connection: &mut SqliteConnection,
    news: &UserNews,
    by: By,
    ids: &dyn IdSource,
) -> Result<NewsOutcome, Failure> {
    let forgotten = news.received_at - UserNews::REMEMBERED;
    sqlx::query(FORGET).bind(forgotten.timestamp_millis()).execute(&mut *connection).await?;
    let received = news.received_at.timestamp_millis();
    let remember = sqlx::query(REMEMBER).bind(&news.message).bind(received);
    if remember.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(NewsOutcome::Repeated);
    }
    let last = last(connection, &news.user).await?;
    let present: Option<User> = user(connection, &news.user).await?;
    let Some((last, entry)) = news.decide(last, present.as_ref()) else {
        return Ok(NewsOutcome::Outdated);
    };
    let note = sqlx::query(NOTE)
        .bind(news.user.as_str())
        .bind(last.changed_at.timestamp_millis())
        .bind(last.standing.as_str());
    note.execute(&mut *connection).await?;
    let noted = match entry {
        DirectoryEntry::Keep => vec![],
        DirectoryEntry::Put(user) => {
            put_user(connection, &user).await?;
            AuditEntry::of_user(by, present.as_ref(), Some(&user)).into_iter().collect()
        }
        DirectoryEntry::Remove => match present {
            None => vec![],
            Some(user) => {
                let ended = remove(connection, &user.id).await?;
                let feeds = feeds::revoke_all(connection, &user.id).await?;
                let links = links::unlink_all(connection, &user.id).await?;
                let mut entries = AuditEntry::of_removed_feeds(&by, &feeds, ids);
                entries.extend(AuditEntry::of_removed_links(&by, &links, ids));
                entries.extend(AuditEntry::of_removed_user(by, &user, ended, ids));
                entries
            }
        },
    };
    audit::note(connection, &noted).await?;
    Ok(NewsOutcome::Taken)
}

/// With the relationships, of a client with a therapist, that went with them.
async fn remove(
    connection: &mut SqliteConnection,
    user: &UserId,
) -> Result<Vec<(UserId, UserId)>, Failure> {
    let relationships = sqlx::query_as(REMOVE_RELATIONSHIPS).bind(user.as_str());
    let ended: Vec<(String, String)> = relationships.fetch_all(&mut *connection).await?;
    sqlx::query(REMOVE_USER).bind(user.as_str()).execute(connection).await?;
    Ok(rows::relationships(&ended)?)
}

async fn last(
    connection: &mut SqliteConnection,
    user: &UserId,
) -> Result<Option<LastNews>, Failure> {
    let row = sqlx::query(LAST).bind(user.as_str()).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let standing: UserStanding = rows::word("standing", row.try_get("standing")?)?;
    Ok(Some(LastNews { changed_at: rows::instant(row.try_get("changed_ms")?)?, standing }))
}
