-- What linked calendars that meetings are written into may not have.
SET LOCAL lock_timeout = '2s';

ALTER TABLE linked_calendar
    -- How often writing has failed since all meetings were in it.
    ADD COLUMN unwritten bigint NOT NULL DEFAULT 0 CHECK (unwritten >= 0),
    -- Where writing all of them anew goes on.
    ADD COLUMN written_to timestamptz;

CREATE INDEX linked_calendar_written ON linked_calendar (id) WHERE write_back = 'on';

-- Until now nobody noted it.
UPDATE linked_calendar SET unwritten = 1 WHERE write_back = 'on';
