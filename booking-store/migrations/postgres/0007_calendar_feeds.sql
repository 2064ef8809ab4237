-- Calendar feeds: read without a token, by an address that holds a secret. Of the secret there is a
-- digest alone.
CREATE TABLE calendar_feed (
    id uuid NOT NULL PRIMARY KEY,
    owner_id text COLLATE "C" NOT NULL,
    content text NOT NULL CHECK (content IN ('times', 'titles', 'availability')),
    name text,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    created_at timestamptz NOT NULL
);

CREATE INDEX calendar_feed_by_owner ON calendar_feed (owner_id, created_at, id);
