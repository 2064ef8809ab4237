-- Therapists' time that is kept for somebody until it expires: a row of each holder and therapist. What
-- has expired is not looked for; it goes when somebody else's hold on the same therapist's time comes.
CREATE TABLE hold (
    id uuid NOT NULL UNIQUE,
    holder_id text COLLATE "C" NOT NULL,
    therapist_id text COLLATE "C" NOT NULL,
    start_at timestamptz NOT NULL,
    duration_minutes bigint NOT NULL CHECK (duration_minutes IN (30, 60, 90, 120)),
    buffer_before_minutes bigint NOT NULL CHECK (buffer_before_minutes BETWEEN 0 AND 120),
    buffer_after_minutes bigint NOT NULL CHECK (buffer_after_minutes BETWEEN 0 AND 120),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    PRIMARY KEY (therapist_id, holder_id)
);

CREATE INDEX hold_by_holder ON hold (holder_id);

-- As both statements that find holds tell them.
CREATE FUNCTION hold_json(one hold) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'id', one.id, 'holder_id', one.holder_id, 'therapist_id', one.therapist_id,
        'start_ms', unix_ms(one.start_at), 'duration_minutes', one.duration_minutes,
        'buffer_before_minutes', one.buffer_before_minutes,
        'buffer_after_minutes', one.buffer_after_minutes,
        'created_ms', unix_ms(one.created_at), 'expires_ms', unix_ms(one.expires_at)
    )::text
$$;

-- A booking rests on the holds of others, as on meetings: their changes count in the same way.
CREATE TRIGGER hold_is_counted AFTER INSERT OR UPDATE OR DELETE ON hold
    FOR EACH ROW EXECUTE FUNCTION count_availability();
