-- Free half hours of the first $1 therapists, on $3 working days from the Monday $2 on.
SELECT n AS therapist, start_at
FROM generate_series(0, $1 - 1) AS n
JOIN directory_user ON directory_user.id = 'therapist_' || n
CROSS JOIN generate_series(0, $3 - 1) AS day
CROSS JOIN generate_series(0, 15) AS half
CROSS JOIN LATERAL (
    SELECT (load.working_day($2, day) + interval '9 hours' + half * interval '30 minutes')
        AT TIME ZONE zone AS start_at
) AS at
WHERE NOT EXISTS (
    SELECT FROM meeting
    WHERE therapist_id = 'therapist_' || n AND status IN ('SCHEDULED', 'CONFIRMED')
        AND meeting.start_at > at.start_at - interval '2 hours'
        AND meeting.start_at < at.start_at + interval '30 minutes'
        AND meeting.start_at + duration_minutes * interval '1 minute' > at.start_at
)
