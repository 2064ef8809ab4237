BEGIN;
SELECT person_id FROM calendar WHERE person_id IN ({client}, {therapist})
ORDER BY person_id FOR UPDATE;
SELECT id, client_id, therapist_id, start_at, duration_minutes FROM meeting
WHERE therapist_id = {therapist} AND status IN ('SCHEDULED', 'CONFIRMED')
    AND start_at > to_timestamp(:start::bigint) - interval '2 hours'
    AND start_at < to_timestamp(:start::bigint) + interval '30 minutes'
UNION ALL
SELECT id, client_id, therapist_id, start_at, duration_minutes FROM meeting
WHERE client_id = {client} AND status IN ('SCHEDULED', 'CONFIRMED')
    AND start_at > to_timestamp(:start::bigint) - interval '2 hours'
    AND start_at < to_timestamp(:start::bigint) + interval '30 minutes';
{insert}
COMMIT;
