//! What an identity provider tells of users, in one transaction per message.

use booking_core::{
    AuditEntry, By, DirectoryEntry, IdSource, LastNews, NewsOutcome, UserId, UserNews,
};
use sqlx::{Connection, PgConnection};

use super::{BEGIN, audit, directory, feeds, links};
use crate::error::Failure;
use crate::rows;

pub(super) async fn take(
    connection: &mut PgConnection,
    news: &UserNews,
    by: By,
    ids: &dyn IdSource,
) -> Result<NewsOutcome, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let outcome = take_within(&mut transaction, news, by, ids).await?;
    transaction.commit().await?;
    Ok(outcome)
}

async fn take_within(
    connection: &mut PgConnection,
    news: &UserNews,
    by: By,
    ids: &dyn IdSource,
) -> Result<NewsOutcome, Failure> {
    // A repeat that comes at the same time waits here until it is known what became of the first.
    let remember = sqlx::query!(
        "INSERT INTO user_news_message (id, received_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        news.message,
        news.received_at,
    );
    if remember.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(NewsOutcome::Repeated);
    }
    forget(connection, news).await?;
    let present = directory::lock(connection, &news.user).await?;
    let last = last(connection, &news.user).await?;
    let Some((last, entry)) = news.decide(last, present.as_ref()) else {
        return Ok(NewsOutcome::Outdated);
    };
    let note = sqlx::query!(
        "INSERT INTO user_news (user_id, changed_at, standing) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET
            changed_at = excluded.changed_at, standing = excluded.standing",
        news.user.as_str(),
        last.changed_at,
        last.standing.as_str(),
    );
    note.execute(&mut *connection).await?;
    let noted = match entry {
        DirectoryEntry::Keep => vec![],
        DirectoryEntry::Put(user) => {
            directory::put(connection, &user).await?;
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

/// A few at a time, and none that somebody else is at: no message pays for all the others.
async fn forget(connection: &mut PgConnection, news: &UserNews) -> Result<(), Failure> {
    let forget = sqlx::query!(
        "DELETE FROM user_news_message WHERE id = ANY(ARRAY(
            SELECT id FROM user_news_message WHERE received_at < $1
            ORDER BY received_at LIMIT 16 FOR UPDATE SKIP LOCKED
        ))",
        news.received_at - UserNews::REMEMBERED,
    );
    forget.execute(connection).await?;
    Ok(())
}

async fn last(connection: &mut PgConnection, user: &UserId) -> Result<Option<LastNews>, Failure> {
    let select = sqlx::query!(
        r#"SELECT unix_ms(changed_at) AS "changed_ms!", standing FROM user_news WHERE user_id = $1"#,
        user.as_str(),
    );
    let Some(row) = select.fetch_optional(connection).await? else { return Ok(None) };
    let standing = rows::word("standing", &row.standing)?;
    Ok(Some(LastNews { changed_at: rows::instant(row.changed_ms)?, standing }))
}

/// With the relationships, of a client with a therapist, that went with them. The user first: whoever
/// makes a relationship with them at this time waits for their row, and finds it gone.
async fn remove(
    connection: &mut PgConnection,
    user: &UserId,
) -> Result<Vec<(UserId, UserId)>, Failure> {
    let id = user.as_str();
    let lock =
        sqlx::query!(r#"SELECT 1 AS "one!" FROM directory_user WHERE id = $1 FOR UPDATE"#, id);
    lock.fetch_optional(&mut *connection).await?;
    let relationships = sqlx::query!(
        "DELETE FROM relationship WHERE client_id = $1 OR therapist_id = $1
         RETURNING client_id, therapist_id",
        id,
    );
    let ended = relationships.map(|row| (row.client_id, row.therapist_id));
    let ended = ended.fetch_all(&mut *connection).await?;
    sqlx::query!("DELETE FROM directory_user WHERE id = $1", id).execute(connection).await?;
    Ok(rows::relationships(&ended)?)
}
