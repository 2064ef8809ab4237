-- A million meetings of the demo people and 10 000 others, set by set: what the store would have
-- written in years. Each client has 100, each therapist 2 000, one on each full hour, of which the
-- last 100 are yet to come (2024-01-15T00:00:00Z stands for today, in the midst of them).

-- What is counted shall be the work of the store alone.
ALTER TABLE meeting SET (autovacuum_enabled = FALSE);
ALTER TABLE busy SET (autovacuum_enabled = FALSE);
ALTER TABLE outbox SET (autovacuum_enabled = FALSE);
ALTER TABLE audit_entry SET (autovacuum_enabled = FALSE);
ALTER TABLE idempotency_record SET (autovacuum_enabled = FALSE);

-- What triggers and indexes do row by row comes afterwards, at once.
ALTER TABLE meeting DISABLE TRIGGER USER;
CREATE TEMPORARY TABLE kept AS
    SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename = 'meeting' AND indexname <> 'meeting_pkey';
DO $$
DECLARE index record;
BEGIN
    FOR index IN SELECT * FROM kept LOOP
        EXECUTE 'DROP INDEX ' || index.indexname;
    END LOOP;
END $$;

INSERT INTO meeting (
    id, version, client_id, therapist_id, start_at, duration_minutes, status, meeting_type, title,
    description, meeting_url, session_notes, created_at, updated_at
)
SELECT
    -- In the order in which they were made, as the ids of the store are.
    ('01890000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1,
    'client_' || n % 10000, 'therapist_' || n % 500,
    timestamptz '2024-01-15T00:00Z' + (n / 500 - 1950) * interval '1 hour', 30,
    CASE
        WHEN n % 7 = 0 THEN 'CANCELLED'
        WHEN n < 950000 THEN CASE WHEN n % 11 = 0 THEN 'NO_SHOW' ELSE 'COMPLETED' END
        ELSE CASE WHEN n % 2 = 0 THEN 'SCHEDULED' ELSE 'CONFIRMED' END
    END,
    'video', 'Therapy Session', 'What it is about', NULL, NULL,
    timestamptz '2023-01-01T00:00Z', timestamptz '2023-01-01T00:00Z'
FROM generate_series(0, 999999) AS n;

-- Two who could not make up their minds.
INSERT INTO meeting (
    id, version, client_id, therapist_id, start_at, duration_minutes, status, meeting_type, title,
    created_at, updated_at
)
SELECT gen_random_uuid(), 2, 'client_124', 'therapist_457', timestamptz '2024-01-15T10:30Z', 30,
    'CANCELLED', 'video', '', timestamptz '2024-01-01T00:00Z', timestamptz '2024-01-01T00:00Z'
FROM generate_series(1, 1000);

DO $$
DECLARE index record;
BEGIN
    FOR index IN SELECT * FROM kept LOOP
        EXECUTE index.indexdef;
    END LOOP;
END $$;
ALTER TABLE meeting ENABLE TRIGGER USER;

-- Each was booked by its client: an entry for each, and one for every user of the directory.
DROP INDEX audit_entry_by_author, audit_entry_by_subject, audit_entry_by_person_1,
    audit_entry_by_person_2, audit_entry_by_person_3;
INSERT INTO audit_entry (
    at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2, fields
)
SELECT
    timestamptz '2023-01-01T00:00Z' + n * interval '30 seconds', id, client_id, 'client',
    'meeting.created', 'meeting', 'meeting_' || n, client_id, therapist_id,
    '{"changes": [{"field": "status", "before": null, "after": "SCHEDULED"}], "withheld": []}'
FROM meeting CROSS JOIN LATERAL (
    SELECT ('x' || right(id::text, 8))::bit(32)::bigint AS n
) AS numbered
WHERE title <> '';
INSERT INTO audit_entry (
    at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_3, fields
)
SELECT
    timestamptz '2022-12-31T00:00Z', gen_random_uuid(), 'admin_1', 'admin', 'user.created', 'user',
    'client_' || n, 'client_' || n, 'therapist_' || n, '{"changes": [], "withheld": []}'
FROM generate_series(0, 9999) AS n;
CREATE INDEX audit_entry_by_author ON audit_entry (author_id, at, id);
CREATE INDEX audit_entry_by_subject ON audit_entry (subject_id, at, id);
CREATE INDEX audit_entry_by_person_1 ON audit_entry (person_1, at, id) WHERE person_1 IS NOT NULL;
CREATE INDEX audit_entry_by_person_2 ON audit_entry (person_2, at, id) WHERE person_2 IS NOT NULL;
CREATE INDEX audit_entry_by_person_3 ON audit_entry (person_3, at, id) WHERE person_3 IS NOT NULL;

INSERT INTO busy (meeting_id, person_id, during)
SELECT id, person_id, tstzrange(start_at, start_at + duration_minutes * interval '1 minute')
FROM meeting CROSS JOIN LATERAL unnest(ARRAY[client_id, therapist_id]) AS person_id
WHERE status IN ('SCHEDULED', 'CONFIRMED');

INSERT INTO calendar (person_id)
SELECT DISTINCT person_id FROM meeting
CROSS JOIN LATERAL unnest(ARRAY[client_id, therapist_id]) AS person_id;

INSERT INTO directory_user (id, role, first_name, last_name, email)
SELECT person_id, split_part(person_id, '_', 1), 'Jane', 'Smith', 'jane.smith@example.com'
FROM calendar;

INSERT INTO relationship (client_id, therapist_id)
SELECT DISTINCT client_id, therapist_id FROM meeting;

-- Everybody has set something, and has days off: a month of them.
INSERT INTO scheduling_settings (
    therapist_id, version, interval_minutes, durations, buffer_before_minutes, buffer_after_minutes,
    widest_before_minutes, widest_after_minutes, notice_minutes, cancellation_minutes,
    reschedule_minutes, updated_at
)
SELECT 'therapist_' || n, 1, 30, 15, 0, 0, 0, 0, 0, 0, 0, now() FROM generate_series(0, 499) AS n;

INSERT INTO availability_override (
    id, therapist_id, first_date, last_date, windows, created_at, updated_at
)
SELECT
    gen_random_uuid(), 'therapist_' || n, date '2023-01-01' + 30 * day, date '2023-01-01' + 30 * day,
    '[]', now(), now()
FROM generate_series(0, 499) AS n CROSS JOIN generate_series(0, 29) AS day;

-- And has linked a calendar, which was busy for some minutes of every third night of another year.
INSERT INTO linked_calendar (
    id, therapist_id, version, kind, host, location, write_back, created_at, failures, next_at
)
SELECT
    gen_random_uuid(), 'therapist_' || n, 1, 'ics', 'example.com', '', 'off', now(), 0, 'infinity'
FROM generate_series(0, 499) AS n;

INSERT INTO external_busy (therapist_id, starts_at, ends_at, calendar_id)
SELECT
    therapist_id, timestamptz '2021-01-01T23:50Z' + 3 * night * interval '1 day',
    timestamptz '2021-01-02T00:00Z' + 3 * night * interval '1 day', id
FROM linked_calendar CROSS JOIN generate_series(0, 132) AS night;

INSERT INTO availability (
    id, therapist_id, weekday, start_minute, end_minute, is_available, notes, created_at, updated_at
)
SELECT gen_random_uuid(), 'therapist_' || n, weekday, 0, 1440, TRUE, NULL, now(), now()
FROM generate_series(0, 499) AS n CROSS JOIN generate_series(0, 6) AS weekday;

-- All of it in the log.
INSERT INTO outbox (event_id, meeting_id, occurred_at, payload, position)
SELECT id, id, created_at, '{}', row_number() OVER (ORDER BY id)
FROM meeting WHERE title <> '' ORDER BY id;
UPDATE log_end SET position = (SELECT max(position) FROM outbox);

-- The first half has expired long ago, and waits to be cleared away.
INSERT INTO idempotency_record (user_id, key, fingerprint, answer, created_at, expires_at)
SELECT
    'client_' || n % 10000, 'key-' || n, decode(repeat('00', 32), 'hex'), '{}', at,
    at + interval '1 day'
FROM generate_series(0, 99999) AS n
CROSS JOIN LATERAL (
    SELECT timestamptz '2023-12-31T12:00Z' + (n - 50000) * interval '1 minute' AS at
) AS made;

-- Some of them were booked together: ten of each of 2 000 clients.
INSERT INTO series (
    id, client_id, therapist_id, rule, except_dates, start_at, duration_minutes, zone, created_at
)
SELECT
    ('01890001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'client_' || n,
    'therapist_' || n % 500, 'FREQ=WEEKLY;COUNT=10', '{}', timestamptz '2023-01-01T00:00Z', 30,
    'UTC', timestamptz '2023-01-01T00:00Z'
FROM generate_series(0, 1999) AS n;
INSERT INTO series_meeting (series_id, place, meeting_id)
SELECT
    ('01890001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, place,
    ('01890000-0000-7000-8000-' || lpad(to_hex(n + 10000 * place), 12, '0'))::uuid
FROM generate_series(0, 1999) AS n CROSS JOIN generate_series(0, 9) AS place;

ANALYZE;
