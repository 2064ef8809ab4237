-- Starts at which the first $1 therapists are with somebody else than their first client.
SELECT n AS therapist, start_at
FROM generate_series(0, $1 - 1) AS n
JOIN meeting ON therapist_id = 'therapist_' || n
WHERE start_at >= $2 AND status = 'SCHEDULED' AND client_id <> 'client_' || n || '_0'
    AND duration_minutes = 60
