-- A hold of $2 on the time of $3, in place of the one that they had. A few others on that therapist's
-- time go that had expired by $10: so they do not pile up, and no single request pays for all of them.
WITH expired AS (
    DELETE FROM hold WHERE id IN (
        SELECT id FROM hold WHERE therapist_id = $3 AND holder_id <> $2 AND expires_at <= $10 LIMIT 16
    )
)
INSERT INTO hold (
    id, holder_id, therapist_id, start_at, duration_minutes, buffer_before_minutes,
    buffer_after_minutes, created_at, expires_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (therapist_id, holder_id) DO UPDATE SET
    id = excluded.id, start_at = excluded.start_at, duration_minutes = excluded.duration_minutes,
    buffer_before_minutes = excluded.buffer_before_minutes,
    buffer_after_minutes = excluded.buffer_after_minutes, created_at = excluded.created_at,
    expires_at = excluded.expires_at
