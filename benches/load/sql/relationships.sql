INSERT INTO relationship (client_id, therapist_id)
SELECT 'client_' || n || '_' || m, 'therapist_' || n
FROM generate_series(0, $1 - 1) AS n CROSS JOIN generate_series(0, 4) AS m
UNION ALL
SELECT name || n, therapist
FROM generate_series(0, 255) AS n
CROSS JOIN (VALUES ('one_of_many_', 'wanted'), ('racer_', 'raced_for')) AS of (name, therapist)
