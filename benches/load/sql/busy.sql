-- What the triggers on meeting would have kept.
INSERT INTO busy (meeting_id, person_id, during)
SELECT id, person_id, tstzrange(start_at, start_at + duration_minutes * interval '1 minute')
FROM meeting CROSS JOIN unnest(ARRAY[client_id, therapist_id]) AS person_id
WHERE status IN ('SCHEDULED', 'CONFIRMED')
