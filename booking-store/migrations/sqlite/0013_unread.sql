-- Which events of a linked calendar could not be read in full when its busy times were worked out: JSON;
-- nothing when all of them could.
ALTER TABLE linked_calendar ADD COLUMN unread TEXT;
