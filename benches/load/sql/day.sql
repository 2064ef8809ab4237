-- On the $3-th working day from the Monday $2 on, $4 sessions of an hour of each of $1 therapists,
-- with their clients in turn: half of the day is taken, every other hour. What lies in the past took
-- place, but for every tenth.
INSERT INTO meeting (
    id, version, client_id, therapist_id, start_at, duration_minutes, status, meeting_type, title,
    description, meeting_url, session_notes, created_at, updated_at
)
SELECT
    load.id(start_at - interval '30 days'), 1, 'client_' || n || '_' || (nth + $3 * 4 + 5000000) % 5,
    'therapist_' || n, start_at, 60,
    CASE WHEN $3 >= 0 THEN 'SCHEDULED' WHEN n % 10 = 0 THEN 'CANCELLED' ELSE 'COMPLETED' END,
    'video', 'Weekly session', NULL, NULL, NULL,
    start_at - interval '30 days', start_at - interval '30 days'
FROM generate_series(0, $4 - 1) AS nth
CROSS JOIN generate_series(0, $1 - 1) AS n
JOIN directory_user ON directory_user.id = 'therapist_' || n
CROSS JOIN LATERAL (
    SELECT (
        -- The past ends the week before the week before.
        load.working_day($2, CASE WHEN $3 >= 0 THEN $3 ELSE $3 - 5 END)
        + make_interval(hours => (9 + 2 * nth + (n + $3 + 5000000) % 2)::int)
    ) AT TIME ZONE zone AS start_at
) AS at
