-- Free half hours of the first $1 therapists, on $3 working days from the Monday $2 on. All meetings
-- are on the grid of half hours.
WITH taken AS MATERIALIZED (
    SELECT therapist_id, start_at + half * interval '30 minutes' AS start_at
    FROM meeting CROSS JOIN generate_series(0, 3) AS half
    WHERE status IN ('SCHEDULED', 'CONFIRMED') AND half * 30 < duration_minutes
        AND therapist_id IN (SELECT 'therapist_' || n FROM generate_series(0, $1 - 1) AS n)
), all_starts AS MATERIALIZED (
    SELECT
        n AS therapist,
        (load.working_day($2, day) + interval '9 hours' + half * interval '30 minutes')
            AT TIME ZONE zone AS start_at
    FROM generate_series(0, $1 - 1) AS n
    JOIN directory_user ON directory_user.id = 'therapist_' || n
    CROSS JOIN generate_series(0, $3 - 1) AS day
    CROSS JOIN generate_series(0, 15) AS half
)
SELECT therapist, start_at FROM all_starts
WHERE NOT EXISTS (
    SELECT FROM taken
    WHERE taken.therapist_id = 'therapist_' || therapist AND taken.start_at = all_starts.start_at
)
