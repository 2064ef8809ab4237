-- The settings of the therapist $1, whatever they were.
INSERT INTO scheduling_settings (
    therapist_id, version, zone, interval_minutes, durations, buffer_before_minutes,
    buffer_after_minutes, widest_before_minutes, widest_after_minutes, notice_minutes, horizon_days,
    most_a_day, most_a_week, cancellation_minutes, reschedule_minutes, meeting_url,
    updated_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (therapist_id) DO UPDATE SET
    version = excluded.version, zone = excluded.zone,
    interval_minutes = excluded.interval_minutes, durations = excluded.durations,
    buffer_before_minutes = excluded.buffer_before_minutes,
    buffer_after_minutes = excluded.buffer_after_minutes,
    widest_before_minutes = excluded.widest_before_minutes,
    widest_after_minutes = excluded.widest_after_minutes,
    notice_minutes = excluded.notice_minutes, horizon_days = excluded.horizon_days,
    most_a_day = excluded.most_a_day, most_a_week = excluded.most_a_week,
    cancellation_minutes = excluded.cancellation_minutes,
    reschedule_minutes = excluded.reschedule_minutes, meeting_url = excluded.meeting_url,
    updated_at = excluded.updated_at
