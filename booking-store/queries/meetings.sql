-- Meetings of a person ($1) after a place ($2, $3) and before an instant ($4), in one of some
-- statuses ($5). Each half comes in order from its index, and ends when the page is full ($6). The page
-- ends with the meeting by which long texts come to so many bytes ($7): to tell how long they are, they
-- are not read. What is left out of it, or is not asked for ($8), is not read at all.
SELECT
    id AS "id!", version AS "version!", client_id AS "client_id!", therapist_id AS "therapist_id!",
    unix_ms(start_at) AS "start_ms!", duration_minutes AS "duration_minutes!",
    buffer_before_minutes AS "buffer_before_minutes!",
    buffer_after_minutes AS "buffer_after_minutes!",
    status AS "status!", meeting_type AS "meeting_type!", title AS "title!",
    CASE WHEN $8 THEN description END AS description, meeting_url,
    CASE WHEN $8 THEN session_notes END AS session_notes,
    unix_ms(created_at) AS "created_ms!", unix_ms(updated_at) AS "updated_ms!"
FROM (
    SELECT
        *,
        sum(coalesce(octet_length(description), 0) + coalesce(octet_length(session_notes), 0))
            OVER (ORDER BY start_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS before_it
    FROM (
        (
            SELECT * FROM meeting
            WHERE client_id = $1 AND (start_at, id) > ($2, $3) AND start_at < $4
                AND status = ANY($5::text[])
            ORDER BY start_at, id LIMIT $6
        )
        UNION ALL
        (
            SELECT * FROM meeting
            WHERE therapist_id = $1 AND (start_at, id) > ($2, $3) AND start_at < $4
                AND status = ANY($5::text[])
            ORDER BY start_at, id LIMIT $6
        )
        ORDER BY start_at, id
        LIMIT $6
    ) AS either
) AS page
WHERE coalesce(before_it, 0) < $7
ORDER BY start_at, id
