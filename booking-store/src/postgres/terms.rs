//! Writes how therapists want to be booked, within the transaction that holds the locks.

use booking_core::TherapistSettings;
use sqlx::PgConnection;

use crate::error::Failure;
use crate::terms_rows::SettingsRow;

/// What is to be written.
pub(super) enum Terms<'a> {
    /// The settings of a therapist, as they are from now on.
    Settings(&'a TherapistSettings),
}

/// In their order.
pub(super) async fn put(
    connection: &mut PgConnection,
    terms: &[Terms<'_>],
) -> Result<(), Failure> {
    for one in terms {
        match one {
            Terms::Settings(settings) => put_settings(connection, settings).await?,
        }
    }
    Ok(())
}

async fn put_settings(
    connection: &mut PgConnection,
    settings: &TherapistSettings,
) -> Result<(), Failure> {
    let row = SettingsRow::of(settings)?;
    let put = sqlx::query_file!(
        "queries/put_settings.sql",
        row.therapist_id,
        row.version,
        row.zone,
        row.interval_minutes,
        row.durations,
        row.buffer_before_minutes,
        row.buffer_after_minutes,
        row.widest_before_minutes,
        row.widest_after_minutes,
        row.notice_minutes,
        row.horizon_days,
        row.most_a_day,
        row.most_a_week,
        row.cancellation_minutes,
        row.reschedule_minutes,
        row.meeting_url,
        settings.updated_at,
    );
    put.execute(connection).await?;
    Ok(())
}
