-- How often each calendar has changed. What was read without locks still holds while the revisions
-- of all people concerned are what they were then; a booking that finds them so needs no locks
-- before it decides. Triggers count, so that it holds whoever writes.

-- Whoever waits for such a lock keeps everybody else waiting behind it, bookings included: so not for
-- long, and all of them before anything is done. The store tries again.
SET LOCAL lock_timeout = '2s';
LOCK TABLE calendar, meeting, availability, directory_user IN ACCESS EXCLUSIVE MODE;

ALTER TABLE calendar ADD COLUMN revision bigint NOT NULL DEFAULT 0;

-- A row changes with every booking: with room beside it, its new version needs no other page.
ALTER TABLE calendar SET (fillfactor = 50);

CREATE FUNCTION count_meeting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE calendar SET revision = revision + 1
        WHERE person_id IN (NEW.client_id, NEW.therapist_id);
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE calendar SET revision = revision + 1
        WHERE person_id IN (OLD.client_id, OLD.therapist_id);
    ELSE
        UPDATE calendar SET revision = revision + 1
        WHERE person_id IN (OLD.client_id, OLD.therapist_id, NEW.client_id, NEW.therapist_id);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER meeting_is_counted AFTER INSERT OR UPDATE OR DELETE ON meeting
    FOR EACH ROW EXECUTE FUNCTION count_meeting();

CREATE FUNCTION count_availability() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE calendar SET revision = revision + 1 WHERE person_id = OLD.therapist_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE calendar SET revision = revision + 1 WHERE person_id = NEW.therapist_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER availability_is_counted AFTER INSERT OR UPDATE OR DELETE ON availability
    FOR EACH ROW EXECUTE FUNCTION count_availability();

-- A therapist's zone says what their availability means, and their role whether they have any.
CREATE FUNCTION count_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE calendar SET revision = revision + 1 WHERE person_id IN (OLD.id, NEW.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER user_is_counted AFTER DELETE ON directory_user
    FOR EACH ROW EXECUTE FUNCTION count_user();
CREATE TRIGGER user_is_counted_anew AFTER UPDATE ON directory_user
    FOR EACH ROW WHEN ((OLD.id, OLD.role, OLD.zone) IS DISTINCT FROM (NEW.id, NEW.role, NEW.zone))
    EXECUTE FUNCTION count_user();
