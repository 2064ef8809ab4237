INSERT INTO relationship (client_id, therapist_id)
SELECT 'client_' || n || '_' || m, 'therapist_' || n
FROM generate_series(0, $1 - 1) AS n CROSS JOIN generate_series(0, 4) AS m
UNION ALL
SELECT 'one_of_many_' || m, 'crowd_' || n
FROM generate_series(0, 1) AS n CROSS JOIN generate_series(0, 255) AS m
