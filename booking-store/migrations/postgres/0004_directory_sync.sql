-- What an identity provider has said of users. Its messages come at least once, and in any order.

-- What it said last of each; of a deleted user for ever, so that no late message brings them back.
CREATE TABLE user_news (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    changed_at timestamptz NOT NULL,
    standing text NOT NULL CHECK (standing IN ('role', 'no_role', 'deleted'))
);

-- Messages that were taken, for as long as repeats may come.
CREATE TABLE user_news_message (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    received_at timestamptz NOT NULL
);

CREATE INDEX user_news_message_by_age ON user_news_message (received_at);

-- All relationships of somebody who goes; by client they are found by the primary key.
CREATE INDEX relationship_by_therapist ON relationship (therapist_id);
