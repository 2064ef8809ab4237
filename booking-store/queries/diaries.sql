-- What lists of slots are made of, for any number of therapists: one round trip, and one snapshot. Each
-- row says what it is (`kind`) and whose, and fills the columns that it has use for. A list of slots
-- is what is asked most, so this has what it needs and nothing else; see also calendars.sql.

-- How often the calendars of $1 have changed, who of them is what, and what they have set. OFFSET
-- keeps the planner from reading everybody's settings at once.
SELECT
    'p'::"char" AS "kind!", person_id AS "person!", role AS "role?", directory_user.zone AS "zone?",
    revision AS "number?", NULL::bigint AS begin, NULL::bigint AS "end",
    settings.updated_at AS "at?", settings.json AS "json?"
FROM unnest($1::text[]) AS person_id
LEFT JOIN calendar USING (person_id)
LEFT JOIN directory_user ON directory_user.id = person_id
LEFT JOIN LATERAL (
    SELECT updated_at, row_to_json(scheduling_settings)::text AS json
    FROM scheduling_settings WHERE therapist_id = person_id
    OFFSET 0
) AS settings ON TRUE
UNION ALL
-- Weekly availability of $2.
SELECT 'h'::"char", therapist_id, NULL, NULL, weekday, start_minute, end_minute, NULL, NULL
FROM availability WHERE therapist_id = ANY($2::text[]) AND is_available
UNION ALL
-- Overrides of $2 with a date from $7 to $8.
SELECT
    'o'::"char", person_id, NULL, NULL, found.first_date - date '1970-01-01',
    found.last_date - date '1970-01-01', NULL, NULL, found.windows::text
FROM unnest($2::text[]) AS person_id CROSS JOIN LATERAL (
    SELECT first_date, last_date, windows
    FROM availability_override
    WHERE therapist_id = person_id AND last_date >= $7 AND first_date <= $8
    OFFSET 0
) AS found
UNION ALL
-- Live meetings of $1 that begin between $3, the longest session before the time that is asked for, and
-- $4, its end; those of two of them twice. The few that end before that time begins are left out
-- later.
SELECT 'b'::"char", client_id, NULL, NULL, duration_minutes, NULL, NULL, start_at, NULL
FROM meeting
WHERE client_id = ANY($1::text[]) AND status IN ('SCHEDULED', 'CONFIRMED')
    AND start_at > $3 AND start_at < $4
UNION ALL
SELECT
    'b'::"char", therapist_id, NULL, NULL, duration_minutes, buffer_before_minutes,
    buffer_after_minutes, start_at, NULL
FROM meeting
WHERE therapist_id = ANY($1::text[]) AND status IN ('SCHEDULED', 'CONFIRMED')
    AND start_at > $3 AND start_at < $4
UNION ALL
-- When calendars say so that $2 have linked: pieces of at most a day that begin less than that before
-- $3, and before $4. Those that end too early are left out later.
SELECT
    'q'::"char", person_id, NULL, NULL, unix_ms(linked.ends_at), NULL, NULL, linked.starts_at, NULL
FROM unnest($2::text[]) AS person_id CROSS JOIN LATERAL (
    SELECT starts_at, ends_at FROM external_busy
    WHERE therapist_id = person_id AND starts_at > $3 - interval '1 day' AND starts_at < $4
    OFFSET 0
) AS linked
UNION ALL
-- Meetings of $2 that began within $5 to $6, and are over: with live ones, those that count for limits.
SELECT 'd'::"char", therapist_id, NULL, NULL, NULL, NULL, NULL, start_at, NULL
FROM meeting
WHERE therapist_id = ANY($2::text[]) AND status IN ('COMPLETED', 'NO_SHOW')
    AND start_at >= $5 AND start_at < $6
UNION ALL
-- What is kept of the time of $2.
SELECT 'l'::"char", person_id, NULL, NULL, NULL, NULL, NULL, NULL, found.json
FROM unnest($2::text[]) AS person_id CROSS JOIN LATERAL (
    SELECT hold_json(hold) AS json FROM hold WHERE therapist_id = person_id
    OFFSET 0
) AS found
