-- Therapists' time that is kept for somebody until it expires: a row of each holder and therapist. What
-- has expired is not looked for; it goes when somebody else's hold on the same therapist's time comes.
CREATE TABLE hold (
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    holder_id TEXT NOT NULL,
    therapist_id TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    duration_minutes INTEGER NOT NULL CHECK (duration_minutes IN (30, 60, 90, 120)),
    buffer_before_minutes INTEGER NOT NULL CHECK (buffer_before_minutes BETWEEN 0 AND 120),
    buffer_after_minutes INTEGER NOT NULL CHECK (buffer_after_minutes BETWEEN 0 AND 120),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL CHECK (expires_ms > created_ms),
    PRIMARY KEY (therapist_id, holder_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX hold_by_holder ON hold (holder_id);
