-- Everything that a scope names, in one statement: one round trip, and one snapshot. What is not
-- asked for comes as null parameters, which match nothing.
SELECT
    record.fingerprint AS "fingerprint?",
    record.answer AS "answer?: Json<Answer>",
    unix_ms(record.created_at) AS "created_ms?",
    (
        SELECT row_to_json(found) FROM (
            SELECT
                id, version, client_id, therapist_id, unix_ms(start_at) AS start_ms,
                duration_minutes, status, meeting_type, title, description, meeting_url,
                session_notes, unix_ms(created_at) AS created_ms, unix_ms(updated_at) AS updated_ms
            FROM meeting WHERE id = $3
        ) AS found
    ) AS "meeting?: Json<MeetingRow>",
    (
        SELECT row_to_json(found) FROM (
            SELECT
                id, therapist_id, weekday, start_minute, end_minute, is_available, notes,
                unix_ms(created_at) AS created_ms, unix_ms(updated_at) AS updated_ms
            FROM availability WHERE id = $4
        ) AS found
    ) AS "slot?: Json<SlotRow>",
    (
        SELECT json_agg(found) FROM (
            SELECT
                id, therapist_id, weekday, start_minute, end_minute, is_available, notes,
                unix_ms(created_at) AS created_ms, unix_ms(updated_at) AS updated_ms
            FROM availability WHERE therapist_id = $5
            ORDER BY weekday, start_minute, end_minute, id
        ) AS found
    ) AS "hours?: Json<Vec<SlotRow>>",
    -- Live meetings that overlap $7 to $8. One that overlaps starts after $9, the longest session
    -- before $7: that makes both bounds bounds of the index. OFFSET
    -- keeps the planner from looking at everybody's meetings at once, which is no detour as long
    -- as there are few.
    (
        SELECT json_agg(found) FROM (
            SELECT live.* FROM unnest($6::text[]) AS person_id CROSS JOIN LATERAL (
                SELECT id, client_id, therapist_id, unix_ms(start_at) AS start_ms, duration_minutes
                FROM meeting
                WHERE client_id = person_id AND status IN ('SCHEDULED', 'CONFIRMED')
                    AND start_at > $9 AND start_at < $8
                    AND start_at + duration_minutes * interval '1 minute' > $7
                OFFSET 0
            ) AS live
            UNION
            SELECT live.* FROM unnest($6::text[]) AS person_id CROSS JOIN LATERAL (
                SELECT id, client_id, therapist_id, unix_ms(start_at) AS start_ms, duration_minutes
                FROM meeting
                WHERE therapist_id = person_id AND status IN ('SCHEDULED', 'CONFIRMED')
                    AND start_at > $9 AND start_at < $8
                    AND start_at + duration_minutes * interval '1 minute' > $7
                OFFSET 0
            ) AS live
            ORDER BY id
        ) AS found
    ) AS "busy?: Json<Vec<BusyRow>>",
    (
        SELECT json_agg(found) FROM (
            SELECT id, role, first_name, last_name, email, zone
            FROM directory_user WHERE id = ANY($13::text[])
        ) AS found
    ) AS "users?: Json<Vec<UserRow>>",
    EXISTS (
        SELECT FROM relationship WHERE client_id = $14 AND therapist_id = $15
    ) AS "are_related!",
    ARRAY(
        SELECT revision FROM calendar WHERE person_id = ANY($6::text[]) ORDER BY person_id
    ) AS "revisions!",
    EXISTS (
        SELECT FROM meeting
        WHERE client_id = $10 AND therapist_id = $11 AND start_at < $12 AND status <> 'CANCELLED'
    ) AS "has_earlier!"
FROM (SELECT) AS one
LEFT JOIN idempotency_record AS record ON record.user_id = $1 AND record.key = $2
