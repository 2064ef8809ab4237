-- Who changed what, and when: an entry for every change, written in its transaction. What people
-- typed is not in it.
CREATE TABLE audit_entry (
    at_ms INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    -- `system:` and a name where no user asked for it; only the role tells for sure.
    author_id TEXT NOT NULL,
    author_role TEXT NOT NULL CHECK (author_role IN ('client', 'therapist', 'admin', 'system')),
    action TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    -- Whom it concerns, each once.
    person_1 TEXT,
    person_2 TEXT,
    person_3 TEXT,
    -- JSON: the fields that changed, with what they were and are or by their names alone.
    fields TEXT NOT NULL,
    PRIMARY KEY (at_ms, id)
) STRICT;

-- The pages of each filter, the latest entries first.
CREATE INDEX audit_entry_by_author ON audit_entry (author_id, at_ms, id);
CREATE INDEX audit_entry_by_subject ON audit_entry (subject_id, at_ms, id);
CREATE INDEX audit_entry_by_person_1 ON audit_entry (person_1, at_ms, id)
    WHERE person_1 IS NOT NULL;
CREATE INDEX audit_entry_by_person_2 ON audit_entry (person_2, at_ms, id)
    WHERE person_2 IS NOT NULL;
CREATE INDEX audit_entry_by_person_3 ON audit_entry (person_3, at_ms, id)
    WHERE person_3 IS NOT NULL;

-- Entries stay as they were written, and until they are too old to be kept: whoever forgets those
-- says in their transaction up to when, by a row that goes before it ends.
CREATE TABLE audit_forgotten (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    before_ms INTEGER NOT NULL
) STRICT;

CREATE TRIGGER audit_entry_stays_as_it_is BEFORE UPDATE ON audit_entry
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log stay as they are');
END;

CREATE TRIGGER audit_entry_stays BEFORE DELETE ON audit_entry
WHEN NOT EXISTS (SELECT 1 FROM audit_forgotten WHERE id = 1 AND OLD.at_ms < before_ms)
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log stay as they are');
END;
