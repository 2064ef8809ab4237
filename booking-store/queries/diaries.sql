-- What lists of slots are made of, for any number of therapists: one round trip, and one snapshot. Each
-- row says what it is (`kind`) and whose, and fills the columns that it has use for. A list of slots
-- is what is asked most, so this has what it needs and nothing else; see also calendars.sql.

-- How often the calendars of $1 have changed, and who of them is what.
SELECT
    'p'::"char" AS "kind!", person_id AS "person!", role AS "role?", zone AS "zone?",
    revision AS "number?", NULL::bigint AS begin, NULL::bigint AS "end", NULL::timestamptz AS at
FROM unnest($1::text[]) AS person_id
LEFT JOIN calendar USING (person_id)
LEFT JOIN directory_user ON directory_user.id = person_id
UNION ALL
-- Weekly availability of $2.
SELECT 'h'::"char", therapist_id, NULL, NULL, weekday, start_minute, end_minute, NULL
FROM availability WHERE therapist_id = ANY($2::text[]) AND is_available
UNION ALL
-- Live meetings of $1 that begin between $3, the longest session before the time that is asked for, and
-- $4, its end; those of two of them twice. The few that end before that time begins are left out
-- later.
SELECT 'b'::"char", client_id, NULL, NULL, duration_minutes, NULL, NULL, start_at
FROM meeting
WHERE client_id = ANY($1::text[]) AND status IN ('SCHEDULED', 'CONFIRMED')
    AND start_at > $3 AND start_at < $4
UNION ALL
SELECT 'b'::"char", therapist_id, NULL, NULL, duration_minutes, NULL, NULL, start_at
FROM meeting
WHERE therapist_id = ANY($1::text[]) AND status IN ('SCHEDULED', 'CONFIRMED')
    AND start_at > $3 AND start_at < $4
