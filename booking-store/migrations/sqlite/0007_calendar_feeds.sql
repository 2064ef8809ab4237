-- Calendar feeds: read without a token, by an address that holds a secret. Of the secret there is a
-- digest alone.
CREATE TABLE calendar_feed (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    owner_id TEXT NOT NULL,
    content TEXT NOT NULL CHECK (content IN ('times', 'titles', 'availability')),
    name TEXT,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX calendar_feed_by_owner ON calendar_feed (owner_id, created_ms, id);
