INSERT INTO availability (
    id, therapist_id, weekday, start_minute, end_minute, is_available, notes, created_at, updated_at
)
SELECT gen_random_uuid(), 'therapist_' || n, weekday, 9 * 60, 17 * 60, TRUE, NULL, $2, $2
FROM generate_series(0, $1 - 1) AS n CROSS JOIN generate_series(1, 5) AS weekday
UNION ALL
SELECT gen_random_uuid(), name, weekday, 0, 24 * 60, TRUE, NULL, $2, $2
FROM unnest(ARRAY['wanted', 'raced_for']) AS name CROSS JOIN generate_series(0, 6) AS weekday
