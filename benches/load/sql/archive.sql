-- Clients who had 10, 1 000 and 10 000 sessions.
INSERT INTO meeting (
    id, version, client_id, therapist_id, start_at, duration_minutes, status, meeting_type, title,
    description, meeting_url, session_notes, created_at, updated_at
)
SELECT
    load.id(start_at), 1, 'client_with_' || many, 'therapist_0', start_at, 30, 'COMPLETED', 'video',
    'Weekly session', NULL, NULL, NULL, start_at, start_at
FROM unnest(ARRAY[10, 1000, 10000]) AS many
CROSS JOIN generate_series(1, many) AS n
CROSS JOIN LATERAL (SELECT $1::date - interval '10 days' - n * interval '1 hour' AS start_at) AS at
