-- $1 therapists in various zones with five clients each, who receive on working days from 9 to 17;
-- two who always receive, with 256 clients each; and three clients who had sessions in the past.
INSERT INTO directory_user (id, role, first_name, last_name, email, zone)
SELECT 'therapist_' || n, 'therapist', 'Therapist', 'Number ' || n,
    'therapist_' || n || '@example.com',
    (ARRAY['America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Australia/Sydney',
        'America/Los_Angeles', 'UTC'])[1 + n % 6]
FROM generate_series(0, $1 - 1) AS n
UNION ALL
SELECT name, 'therapist', 'Therapist', 'Of Many', name || '@example.com', 'UTC'
FROM unnest(ARRAY['wanted', 'raced_for']) AS name
UNION ALL
SELECT 'client_' || n || '_' || m, 'client', 'Client', 'Number ' || m,
    'client_' || n || '_' || m || '@example.com', NULL
FROM generate_series(0, $1 - 1) AS n CROSS JOIN generate_series(0, 4) AS m
UNION ALL
SELECT name || n, 'client', 'One', 'Of Many', 'many@example.com', NULL
FROM generate_series(0, 255) AS n CROSS JOIN unnest(ARRAY['one_of_many_', 'racer_']) AS name
UNION ALL
SELECT 'client_with_' || n, 'client', 'Client', 'With Meetings', 'with@example.com', NULL
FROM unnest(ARRAY[10, 1000, 10000]) AS n
