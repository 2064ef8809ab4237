-- What linked calendars that meetings are written into may not have.

-- How often writing has failed since all meetings were in it.
ALTER TABLE linked_calendar ADD COLUMN unwritten INTEGER NOT NULL DEFAULT 0 CHECK (unwritten >= 0);
-- Where writing all of them anew goes on.
ALTER TABLE linked_calendar ADD COLUMN written_to_ms INTEGER;

CREATE INDEX linked_calendar_written ON linked_calendar (id) WHERE write_back = 'on';

-- Until now nobody noted it.
UPDATE linked_calendar SET unwritten = 1 WHERE write_back = 'on';
