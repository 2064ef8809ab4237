-- Lets at most $1 events join the log after $2, its end, and notes them, due at $3, for everybody
-- who wants them. Whoever runs this holds the log's end since before the statement began, so it
-- sees whatever was published before.
WITH unpublished AS (
    SELECT sequence, row_number() OVER (ORDER BY sequence) AS place
    FROM (
        SELECT sequence FROM outbox WHERE position IS NULL ORDER BY sequence LIMIT $1
    ) AS oldest
), published AS (
    UPDATE outbox SET position = $2 + place
    FROM unpublished WHERE outbox.sequence = unpublished.sequence
    RETURNING position, meeting_id, event_type
), subscribers AS (
    -- Nobody of them leaves before this is committed.
    SELECT id, event_types FROM subscriber WHERE is_active ORDER BY id FOR KEY SHARE
), noted AS (
    INSERT INTO delivery (subscriber_id, position, meeting_id, state, due_at)
    SELECT id, position, meeting_id, 'pending', $3
    FROM published CROSS JOIN subscribers
    WHERE event_types = '[]' OR event_types ? event_type
), moved AS (
    UPDATE log_end SET position = position + (SELECT count(*) FROM published) WHERE id = 1
)
SELECT count(*) AS "published!" FROM published
