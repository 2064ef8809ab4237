-- Everything that a scope names, in one statement: one round trip, and one snapshot. Each row says
-- what it is (`kind`) and fills the columns that it has use for: plain values, which cost about
-- half of what JSON does. What is not asked for comes as null parameters, which match nothing.

-- Weekly availability of $5, and the slot $4. In this order it comes by its own index, and not by
-- the constraint's.
(
    SELECT
        'h'::"char" AS "kind!", id, therapist_id AS one, notes AS other, weekday AS number,
        start_minute AS begin, end_minute AS "end", is_available AS flag, created_at AS at,
        updated_at AS later, NULL::bytea AS bytes, NULL::text AS json
    FROM availability WHERE therapist_id = $5 ORDER BY weekday, start_minute, end_minute, id
)
UNION ALL
SELECT
    's'::"char", id, therapist_id, notes, weekday, start_minute, end_minute, is_available,
    created_at, updated_at, NULL, NULL
FROM availability WHERE id = $4
UNION ALL
-- Live meetings of $6 that overlap any of the spans from $7 to $8, once for each. One that overlaps
-- starts after $9, the longest session before $7: that makes both bounds bounds of the index. OFFSET
-- keeps the planner from looking at everybody's meetings at once, which is no detour as long as there
-- are few.
SELECT
    'b'::"char", live.id, live.client_id, live.therapist_id, live.duration_minutes,
    live.buffer_before_minutes, live.buffer_after_minutes, NULL, live.start_at, NULL, NULL, NULL
FROM unnest($6::text[]) AS person_id
CROSS JOIN unnest($7::timestamptz[], $8::timestamptz[], $9::timestamptz[])
    AS span (begins, ends, earliest)
CROSS JOIN LATERAL (
    SELECT
        id, client_id, therapist_id, duration_minutes, start_at, buffer_before_minutes,
        buffer_after_minutes
    FROM meeting
    WHERE client_id = person_id AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_at > earliest AND start_at < ends
        AND start_at + duration_minutes * interval '1 minute' > begins
    OFFSET 0
) AS live
UNION ALL
SELECT
    'b'::"char", live.id, live.client_id, live.therapist_id, live.duration_minutes,
    live.buffer_before_minutes, live.buffer_after_minutes, NULL, live.start_at, NULL, NULL, NULL
FROM unnest($6::text[]) AS person_id
CROSS JOIN unnest($7::timestamptz[], $8::timestamptz[], $9::timestamptz[])
    AS span (begins, ends, earliest)
CROSS JOIN LATERAL (
    SELECT
        id, client_id, therapist_id, duration_minutes, start_at, buffer_before_minutes,
        buffer_after_minutes
    FROM meeting
    WHERE therapist_id = person_id AND client_id <> ALL($6::text[])
        AND status IN ('SCHEDULED', 'CONFIRMED')
        AND start_at > earliest AND start_at < ends
        AND start_at + duration_minutes * interval '1 minute' > begins
    OFFSET 0
) AS live
UNION ALL
-- When calendars say so that $5 has linked, as far as it overlaps any of the spans from $7 to $8: pieces
-- of at most a day, so both bounds are bounds of the index.
SELECT
    'q'::"char", NULL, NULL, NULL, unix_ms(linked.ends_at), NULL, NULL, NULL, linked.starts_at,
    NULL, NULL, NULL
FROM unnest($7::timestamptz[], $8::timestamptz[]) AS span (begins, ends)
CROSS JOIN LATERAL (
    SELECT starts_at, ends_at FROM external_busy
    WHERE therapist_id = $5 AND starts_at > begins - interval '1 day' AND starts_at < ends
        AND ends_at > begins
    OFFSET 0
) AS linked
UNION ALL
-- How often the calendars of $6 have changed.
SELECT 'v'::"char", NULL, person_id, NULL, revision, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM calendar WHERE person_id = ANY($6::text[])
UNION ALL
-- What the therapists $16 have set.
SELECT
    'p'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, found.updated_at, NULL, NULL, found.json
FROM unnest($16::text[]) AS person_id CROSS JOIN LATERAL (
    SELECT updated_at, row_to_json(scheduling_settings)::text AS json
    FROM scheduling_settings WHERE therapist_id = person_id
    OFFSET 0
) AS found
UNION ALL
-- Meetings of $5 that began within $17 to $18, and are over: with live ones, those that count for
-- limits.
SELECT 'd'::"char", id, NULL, NULL, NULL, NULL, NULL, NULL, start_at, NULL, NULL, NULL
FROM meeting
WHERE therapist_id = $5 AND status IN ('COMPLETED', 'NO_SHOW') AND start_at >= $17 AND start_at < $18
UNION ALL
-- Overrides of $5 with a date from $19 to $20.
SELECT 'o'::"char", id, therapist_id, notes, first_date - date '1970-01-01',
    last_date - date '1970-01-01', NULL, NULL, created_at, updated_at, NULL, windows::text
FROM availability_override WHERE therapist_id = $5 AND last_date >= $19 AND first_date <= $20
UNION ALL
-- What is kept of the time of $5, and what $23 has placed.
SELECT 'l'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, hold_json(hold)
FROM hold WHERE therapist_id = $5
UNION ALL
SELECT 'y'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, hold_json(hold)
FROM hold WHERE holder_id = $23
UNION ALL
-- The override $21.
SELECT 'x'::"char", id, therapist_id, notes, first_date - date '1970-01-01',
    last_date - date '1970-01-01', NULL, NULL, created_at, updated_at, NULL, windows::text
FROM availability_override WHERE id = $21
UNION ALL
-- The meeting $3.
SELECT
    'm'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    json_build_object(
        'id', id, 'version', version, 'client_id', client_id, 'therapist_id', therapist_id,
        'start_ms', unix_ms(start_at), 'duration_minutes', duration_minutes,
        'buffer_before_minutes', buffer_before_minutes, 'buffer_after_minutes', buffer_after_minutes,
        'status', status, 'meeting_type', meeting_type, 'title', title,
        'description', description, 'meeting_url', meeting_url, 'session_notes', session_notes,
        'created_ms', unix_ms(created_at), 'updated_ms', unix_ms(updated_at)
    )::text
FROM meeting WHERE id = $3
UNION ALL
-- The series $22 with its meetings, in the order in which they were booked.
SELECT
    't'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    json_build_object(
        'series', json_build_object(
            'id', series.id, 'client_id', series.client_id, 'therapist_id', series.therapist_id,
            'rule', rule, 'except_dates', (
                SELECT coalesce(json_agg(day - date '1970-01-01'), '[]') FROM unnest(except_dates) AS day
            )::text,
            'start_ms', unix_ms(series.start_at), 'duration_minutes', series.duration_minutes,
            'zone', zone, 'created_ms', unix_ms(series.created_at)
        ),
        'meetings', (
            SELECT coalesce(json_agg(json_build_object(
                'id', id, 'version', version, 'client_id', client_id, 'therapist_id', therapist_id,
                'start_ms', unix_ms(start_at), 'duration_minutes', duration_minutes,
                'buffer_before_minutes', buffer_before_minutes,
                'buffer_after_minutes', buffer_after_minutes, 'status', status, 'meeting_type', meeting_type, 'title', title,
                'description', description, 'meeting_url', meeting_url,
                'session_notes', session_notes, 'created_ms', unix_ms(created_at),
                'updated_ms', unix_ms(updated_at)
            ) ORDER BY place), '[]')
            FROM series_meeting JOIN meeting ON meeting.id = meeting_id
            WHERE series_id = series.id
        )
    )::text
FROM series WHERE series.id = $22
UNION ALL
-- The users $13.
SELECT
    'u'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    row_to_json(directory_user)::text
FROM directory_user WHERE id = ANY($13::text[])
UNION ALL
-- That $14 is a client of $15.
SELECT 'r'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM relationship WHERE client_id = $14 AND therapist_id = $15
UNION ALL
-- That $10 and $11 have met before $12.
(
    SELECT 'e'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM meeting
    WHERE client_id = $10 AND therapist_id = $11 AND start_at < $12 AND status <> 'CANCELLED'
    LIMIT 1
)
UNION ALL
-- The record of $1 under the key $2.
SELECT
    'k'::"char", NULL, NULL, NULL, NULL, NULL, NULL, NULL, created_at, NULL, fingerprint,
    answer::text
FROM idempotency_record WHERE user_id = $1 AND key = $2
