-- A whole change in one statement: one round trip. No row is in it twice, and constraints between
-- rows are looked at when the transaction commits, so the order of its parts makes no difference.
-- It is made if the calendars of the people $48 have the revisions $49, or nothing is.
WITH locked AS (
    -- In order, one by one as they come out of the sort. What comes out is the row as it is once the
    -- lock is ours, even if that is newer than what the rest of this statement sees: who finds the
    -- revision that they know has therefore seen everything.
    SELECT person_id, revision FROM calendar WHERE person_id = ANY($48::text[])
    ORDER BY person_id FOR UPDATE
), guard AS (
    SELECT count(*) = cardinality($48::text[]) AS is_current
    FROM locked JOIN unnest($48::text[], $49::bigint[]) AS known (person_id, revision)
        USING (person_id, revision)
), meetings AS (
    SELECT * FROM unnest(
        $1::bool[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[],
        $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::timestamptz[], $15::timestamptz[], $50::bigint[], $51::bigint[]
    ) AS row (
        is_new, id, version, client_id, therapist_id, start_at, duration_minutes, status,
        meeting_type, title, description, meeting_url, session_notes, created_at, updated_at,
        buffer_before_minutes, buffer_after_minutes
    )
    WHERE (SELECT is_current FROM guard)
), inserted_meetings AS (
    INSERT INTO meeting (
        id, version, client_id, therapist_id, start_at, duration_minutes, status, meeting_type,
        title, description, meeting_url, session_notes, created_at, updated_at,
        buffer_before_minutes, buffer_after_minutes
    )
    SELECT
        id, version, client_id, therapist_id, start_at, duration_minutes, status, meeting_type,
        title, description, meeting_url, session_notes, created_at, updated_at,
        buffer_before_minutes, buffer_after_minutes
    FROM meetings WHERE is_new
), updated_meetings AS (
    UPDATE meeting SET
        version = new.version, client_id = new.client_id, therapist_id = new.therapist_id,
        start_at = new.start_at, duration_minutes = new.duration_minutes, status = new.status,
        meeting_type = new.meeting_type, title = new.title, description = new.description,
        meeting_url = new.meeting_url, session_notes = new.session_notes,
        created_at = new.created_at, updated_at = new.updated_at,
        buffer_before_minutes = new.buffer_before_minutes,
        buffer_after_minutes = new.buffer_after_minutes
    FROM meetings AS new WHERE meeting.id = new.id AND NOT new.is_new
    RETURNING 1
), slots AS (
    SELECT * FROM unnest(
        $16::bool[], $17::uuid[], $18::text[], $19::bigint[], $20::bigint[], $21::bigint[],
        $22::bool[], $23::text[], $24::timestamptz[], $25::timestamptz[]
    ) AS row (
        is_new, id, therapist_id, weekday, start_minute, end_minute, is_available, notes,
        created_at, updated_at
    )
    WHERE (SELECT is_current FROM guard)
), inserted_slots AS (
    INSERT INTO availability (
        id, therapist_id, weekday, start_minute, end_minute, is_available, notes, created_at,
        updated_at
    )
    SELECT
        id, therapist_id, weekday, start_minute, end_minute, is_available, notes, created_at,
        updated_at
    FROM slots WHERE is_new
), updated_slots AS (
    UPDATE availability SET
        therapist_id = new.therapist_id, weekday = new.weekday, start_minute = new.start_minute,
        end_minute = new.end_minute, is_available = new.is_available, notes = new.notes,
        created_at = new.created_at, updated_at = new.updated_at
    FROM slots AS new WHERE availability.id = new.id AND NOT new.is_new
    RETURNING 1
), deleted_slots AS (
    DELETE FROM availability WHERE id = ANY($26::uuid[]) AND (SELECT is_current FROM guard)
), events AS (
    -- Sequences are drawn in this order, and under the locks of the change.
    INSERT INTO outbox (event_id, meeting_id, occurred_at, payload)
    SELECT event_id, meeting_id, occurred_at, payload::json
    FROM unnest($27::uuid[], $28::uuid[], $29::timestamptz[], $30::text[]) WITH ORDINALITY
        AS row (event_id, meeting_id, occurred_at, payload, place)
    WHERE (SELECT is_current FROM guard)
    ORDER BY place
), audited AS (
    INSERT INTO audit_entry (
        at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2,
        person_3, fields
    )
    SELECT
        at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2,
        person_3, fields::json
    FROM unnest(
        $37::timestamptz[], $38::uuid[], $39::text[], $40::text[], $41::text[], $42::text[],
        $43::text[], $44::text[], $45::text[], $46::text[], $47::text[]
    ) AS row (
        at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2,
        person_3, fields
    )
    WHERE (SELECT is_current FROM guard)
), recorded AS (
    INSERT INTO idempotency_record (user_id, key, fingerprint, answer, created_at, expires_at)
    SELECT $31, $32, $33, $34::text::json, $35, $36
    WHERE $31::text IS NOT NULL AND (SELECT is_current FROM guard)
    ON CONFLICT (user_id, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, answer = excluded.answer,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    RETURNING 1
), cleared AS (
    -- Each record clears away a few that have expired, so that the table does not grow for ever and
    -- no single request pays for it. It waits for nobody, and comes after the record itself, whose
    -- row somebody else may be clearing away: so nobody waits in a circle.
    DELETE FROM idempotency_record WHERE (user_id, key) IN (
        SELECT user_id, key FROM idempotency_record
        WHERE expires_at <= $35 AND (user_id, key) <> ($31, $32)
            AND (SELECT count(*) FROM recorded) = 1
        ORDER BY expires_at LIMIT 16
        FOR UPDATE SKIP LOCKED
    )
)
SELECT
    (SELECT is_current FROM guard) AS "is_current!",
    (SELECT count(*) FROM updated_meetings) + (SELECT count(*) FROM updated_slots) AS "updated!"
