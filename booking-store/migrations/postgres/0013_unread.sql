-- Which events of a linked calendar could not be read in full when its busy times were worked out.
SET LOCAL lock_timeout = '2s';

-- JSON; nothing when all of them could.
ALTER TABLE linked_calendar ADD COLUMN unread text;
