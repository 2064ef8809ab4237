-- Who changed what, and when: an entry for every change, written in its transaction. What people
-- typed is not in it.
CREATE TABLE audit_entry (
    at timestamptz NOT NULL,
    id uuid NOT NULL,
    -- `system:` and a name where no user asked for it; only the role tells for sure.
    author_id text COLLATE "C" NOT NULL,
    author_role text NOT NULL CHECK (author_role IN ('client', 'therapist', 'admin', 'system')),
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    -- Whom it concerns, each once.
    person_1 text COLLATE "C",
    person_2 text COLLATE "C",
    person_3 text COLLATE "C",
    -- The fields that changed, with what they were and are or by their names alone.
    fields json NOT NULL,
    PRIMARY KEY (at, id)
);

-- The pages of each filter, the latest entries first.
CREATE INDEX audit_entry_by_author ON audit_entry (author_id, at, id);
CREATE INDEX audit_entry_by_subject ON audit_entry (subject_id, at, id);
CREATE INDEX audit_entry_by_person_1 ON audit_entry (person_1, at, id) WHERE person_1 IS NOT NULL;
CREATE INDEX audit_entry_by_person_2 ON audit_entry (person_2, at, id) WHERE person_2 IS NOT NULL;
CREATE INDEX audit_entry_by_person_3 ON audit_entry (person_3, at, id) WHERE person_3 IS NOT NULL;

-- Entries stay as they were written, and until they are too old to be kept: whoever forgets those
-- says so in their transaction. That keeps out mistakes, and not the owner of the database.
CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('booking.forgets_audit', TRUE) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'entries of the audit log stay as they are';
END
$$;

CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION keep_audit();
