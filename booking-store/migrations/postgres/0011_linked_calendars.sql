-- Calendars from elsewhere that therapists have linked, and when these say that they are busy.

-- Where one is and what opens it is sealed before it comes here.
CREATE TABLE linked_calendar (
    id uuid NOT NULL PRIMARY KEY,
    therapist_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    kind text NOT NULL CHECK (kind IN ('ics', 'caldav')),
    label text,
    host text NOT NULL,
    location bytea NOT NULL,
    -- An IANA name; the therapist's when there is none.
    zone text,
    write_back text NOT NULL CHECK (write_back IN ('off', 'on')),
    created_at timestamptz NOT NULL,
    -- What became of reading it.
    validators text,
    fetched_at timestamptz,
    expanded_at timestamptz,
    checked_at timestamptz,
    failures bigint NOT NULL CHECK (failures >= 0),
    fault text,
    fault_detail text,
    -- When it is due, and until when somebody is at it.
    next_at timestamptz NOT NULL,
    CHECK ((fault IS NULL) = (fault_detail IS NULL)),
    UNIQUE (therapist_id, id)
);

CREATE INDEX linked_calendar_by_next ON linked_calendar (next_at, id);

-- In pieces of at most a day: who looks for those that overlap a span knows how early they begin, and
-- finds them by one range of the primary key.
CREATE TABLE external_busy (
    therapist_id text COLLATE "C" NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    calendar_id uuid NOT NULL,
    CHECK (starts_at < ends_at AND ends_at - starts_at <= interval '24 hours'),
    PRIMARY KEY (therapist_id, starts_at, ends_at, calendar_id),
    FOREIGN KEY (therapist_id, calendar_id) REFERENCES linked_calendar (therapist_id, id)
        ON DELETE CASCADE
);

-- They are part of a therapist's calendar. A copy has many of them: counted once for each statement.
CREATE FUNCTION count_external() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE calendar SET revision = revision + 1
    WHERE person_id IN (SELECT therapist_id FROM touched);
    RETURN NULL;
END
$$;

CREATE TRIGGER new_external_is_counted AFTER INSERT ON external_busy
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION count_external();
CREATE TRIGGER old_external_is_counted AFTER DELETE ON external_busy
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION count_external();
CREATE TRIGGER external_was_counted AFTER UPDATE ON external_busy
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION count_external();
CREATE TRIGGER external_is_counted_anew AFTER UPDATE ON external_busy
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION count_external();
