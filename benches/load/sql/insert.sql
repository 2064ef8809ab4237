WITH inserted AS (
    INSERT INTO meeting (
        id, version, client_id, therapist_id, start_at, duration_minutes, status, meeting_type,
        title, description, meeting_url, session_notes, created_at, updated_at
    )
    VALUES (
        load.id(now()), 1, {client}, {therapist}, to_timestamp(:start::bigint), 30, 'SCHEDULED',
        'video', 'Weekly session', NULL, NULL, NULL, now(), now()
    )
    RETURNING id, client_id, therapist_id
), announced AS (
    INSERT INTO outbox (event_id, meeting_id, occurred_at, payload)
    SELECT load.id(now()), id, now(), load.payload() FROM inserted
)
INSERT INTO audit_entry (
    at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2, fields
)
SELECT
    now(), load.id(now()), client_id, 'client', 'meeting.created', 'meeting', 'meeting_' || id,
    client_id, therapist_id, load.fields()
FROM inserted;
