-- How this was made is said in old.rs.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'initial','2026-11-23 01:35:35',1,X'112a031f058238d2a181947f2a902e39210b7d39a3d887941b7252489b03652578e1fe99846ad720532d50cf3a43b471',3118213);
INSERT INTO _sqlx_migrations VALUES(2,'deliveries','2026-11-23 01:35:35',1,X'28350850033edc87e0fabada07d8c981f07c36c3c4dd81def3e8888e356edb1bd568bb9b0e1e34ac0fee2960e700ef36',4556457);
CREATE TABLE meeting (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version INTEGER NOT NULL CHECK (version >= 1),
    client_id TEXT NOT NULL,
    therapist_id TEXT NOT NULL CHECK (therapist_id <> client_id),
    start_ms INTEGER NOT NULL,
    duration_minutes INTEGER NOT NULL CHECK (duration_minutes IN (30, 60, 90, 120)),
    status TEXT NOT NULL
        CHECK (status IN ('SCHEDULED', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'NO_SHOW')),
    meeting_type TEXT NOT NULL CHECK (meeting_type IN ('video', 'audio', 'in_person', 'chat')),
    title TEXT NOT NULL,
    description TEXT,
    meeting_url TEXT,
    session_notes TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;
INSERT INTO meeting VALUES(X'018c0000000070008000000000000000',7,'client_123','therapist_456',1705312800000,60,'SCHEDULED','video','Therapy Session',NULL,'https://example.com/a?b=%20#c',NULL,1704110400000,1704110400001);
INSERT INTO meeting VALUES(X'018c0000000070008000000000000001',1,'client_123','therapist_456',1705323600000,30,'CONFIRMED','audio',replace('Zoë''s "50 %" — \n, 👩‍⚕️\012	and '';DROP TABLE meeting;--','\012',char(10)),'',NULL,NULL,1704110400000,1704110400000);
INSERT INTO meeting VALUES(X'018c0000000070008000000000000002',1,'client_124','therapist_456',1705334400000,120,'COMPLETED','in_person','Therapy Session',NULL,NULL,replace('Zoë''s "50 %" — \n, 👩‍⚕️\012	and '';DROP TABLE meeting;--','\012',char(10)),1704110400000,1704110400000);
INSERT INTO meeting VALUES(X'018c0000000070008000000000000003',1,'client_123','therapist_456',1705345200000,60,'CANCELLED','chat','',NULL,NULL,NULL,1704110400000,1704110400000);
INSERT INTO meeting VALUES(X'018c0000000070008000000000000004',1,'client_123','therapist_456',1705356000000,60,'NO_SHOW','video','Therapy Session',NULL,NULL,NULL,1704110400000,1704110400000);
INSERT INTO meeting VALUES(X'018cc4e5220070008000000000000001',1,'client_123','therapist_457',1705282200000,90,'SCHEDULED','video',replace('Zoë''s "50 %" — \n, 👩‍⚕️\012	and '';DROP TABLE meeting;--','\012',char(10)),NULL,NULL,NULL,1704110400000,1704110400000);
CREATE TABLE availability (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    therapist_id TEXT NOT NULL,
    -- From Sunday.
    weekday INTEGER NOT NULL CHECK (weekday BETWEEN 0 AND 6),
    -- On the clocks of the therapist's zone.
    start_minute INTEGER NOT NULL CHECK (start_minute >= 0),
    end_minute INTEGER NOT NULL CHECK (start_minute < end_minute AND end_minute <= 1440),
    is_available INTEGER NOT NULL CHECK (is_available IN (0, 1)),
    notes TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;
INSERT INTO availability VALUES(X'018cc4e52200712092e72a626c1936d5','therapist_457',0,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018cc4e522007de19d47a10670c1499b','therapist_457',1,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018cc4e522007776a26be85e2735a758','therapist_457',2,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018cc4e522007ffbbcb9c79d5dfedee4','therapist_457',3,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018cc4e522007701b33dd273d1e7a877','therapist_457',4,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018cc4e522007322a27de791da571a8d','therapist_457',5,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018cc4e5220077158d85d42dffa80e04','therapist_457',6,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018c0000000070008000000000000064','therapist_456',0,0,1440,1,NULL,1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018c0000000070008000000000000065','therapist_456',1,540,720,1,replace('Zoë''s "50 %" — \n, 👩‍⚕️\012	and '';DROP TABLE meeting;--','\012',char(10)),1704110400000,1704110400000);
INSERT INTO availability VALUES(X'018c0000000070008000000000000066','therapist_456',1,720,1439,0,NULL,1704110400000,1704110400000);
CREATE TABLE idempotency_record (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- JSON of booking_core::Answer.
    answer TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT;
INSERT INTO idempotency_record VALUES('client_123','an old key; with a %',X'cbfe1e6d4e87fe231b3be146e6c68ce9dd3c6fe89ac4d9c08b23a08e6b4f0660','{"meeting":{"id":"meeting_01hk2ea8g0e008000000000001","version":1,"client":"client_123","therapist":"therapist_457","start":"2024-01-15T01:30:00Z","duration":90,"status":"SCHEDULED","meeting_type":"video","title":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","description":null,"meeting_url":null,"session_notes":null,"created_at":"2024-01-01T12:00:00Z","updated_at":"2024-01-01T12:00:00Z"}}',1704110400000,1704196800000);
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL CHECK (length(event_id) = 16),
    meeting_id BLOB NOT NULL CHECK (length(meeting_id) = 16),
    occurred_ms INTEGER NOT NULL,
    -- JSON of booking_core::EventPayload.
    payload TEXT NOT NULL, client_id TEXT
    GENERATED ALWAYS AS (payload ->> '$.data.clientId') VIRTUAL, therapist_id TEXT
    GENERATED ALWAYS AS (payload ->> '$.data.therapistId') VIRTUAL, event_type TEXT
    GENERATED ALWAYS AS (payload ->> '$.type') VIRTUAL) STRICT;
INSERT INTO outbox VALUES(1,X'018c00000000700080000000000000c8',X'018c0000000070008000000000000000',1704110400000,'{"type":"AppointmentBooked","data":{"appointmentId":"meeting_01hg000000e008000000000000","clientId":"client_123","therapistId":"therapist_456","startTime":"2024-01-15T10:00:00.000Z","meetingType":"video","duration":60,"title":"Therapy Session","isInitialConsultation":true}}');
INSERT INTO outbox VALUES(2,X'018c00000000700080000000000000c9',X'018c0000000070008000000000000001',1704110400000,'{"type":"AppointmentBooked","data":{"appointmentId":"meeting_01hg000000e008000000000001","clientId":"client_123","therapistId":"therapist_456","startTime":"2024-01-15T13:00:00.000Z","meetingType":"audio","duration":30,"title":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","description":"","isInitialConsultation":true}}');
INSERT INTO outbox VALUES(3,X'018c00000000700080000000000000ca',X'018c0000000070008000000000000001',1704110400000,'{"type":"AppointmentRescheduled","data":{"appointmentId":"meeting_01hg000000e008000000000001","clientId":"client_123","therapistId":"therapist_456","rescheduledBy":"client_123","originalStartTime":"2024-01-15T01:00:00.000Z","newStartTime":"2024-01-15T13:00:00.000Z","rescheduleReason":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--"}}');
INSERT INTO outbox VALUES(4,X'018c00000000700080000000000000cb',X'018c0000000070008000000000000002',1704110400000,'{"type":"AppointmentCompleted","data":{"appointmentId":"meeting_01hg000000e008000000000002","clientId":"client_124","therapistId":"therapist_456","completedAt":"2024-01-15T16:00:00.001Z","duration":120,"sessionNotes":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","attendanceStatus":"ATTENDED"}}');
INSERT INTO outbox VALUES(5,X'018c00000000700080000000000000cc',X'018c0000000070008000000000000003',1704110400000,'{"type":"AppointmentCancelled","data":{"appointmentId":"meeting_01hg000000e008000000000003","clientId":"client_123","therapistId":"therapist_456","cancelledBy":"therapist_456","cancellationReason":"","originalStartTime":"2024-01-15T19:00:00.000Z","cancelledAt":"2024-01-01T12:00:00.000Z","cancellationNotice":0.3333333333333333}}');
INSERT INTO outbox VALUES(6,X'018c00000000700080000000000000cd',X'018c0000000070008000000000000004',1704110400000,'{"type":"AppointmentCompleted","data":{"appointmentId":"meeting_01hg000000e008000000000004","clientId":"client_123","therapistId":"therapist_456","completedAt":"2024-01-15T16:00:00.001Z","duration":120,"sessionNotes":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","attendanceStatus":"NO_SHOW"}}');
INSERT INTO outbox VALUES(7,X'018cc4e5220070008000000000000002',X'018cc4e5220070008000000000000001',1704110400000,'{"type":"AppointmentBooked","data":{"appointmentId":"meeting_01hk2ea8g0e008000000000001","clientId":"client_123","therapistId":"therapist_457","startTime":"2024-01-15T01:30:00.000Z","meetingType":"video","duration":90,"title":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","isInitialConsultation":true}}');
CREATE TABLE directory_user (
    id TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('client', 'therapist', 'admin')),
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    email TEXT NOT NULL,
    -- An IANA name; UTC when nobody said.
    zone TEXT
) STRICT;
INSERT INTO directory_user VALUES('therapist_456','therapist','Jane','Müller-O''Brien','jane.smith@example.com','Europe/Berlin');
INSERT INTO directory_user VALUES('therapist_457','therapist','Jane','Smith','jane.smith@example.com',NULL);
INSERT INTO directory_user VALUES('client_123','client','Jane','Smith','jane.smith@example.com',NULL);
INSERT INTO directory_user VALUES('client_124','client','Jane','Smith','jane.smith@example.com',NULL);
CREATE TABLE relationship (
    client_id TEXT NOT NULL REFERENCES directory_user (id),
    therapist_id TEXT NOT NULL REFERENCES directory_user (id),
    PRIMARY KEY (client_id, therapist_id)
) STRICT, WITHOUT ROWID;
INSERT INTO relationship VALUES('client_123','therapist_456');
INSERT INTO relationship VALUES('client_123','therapist_457');
INSERT INTO relationship VALUES('client_124','therapist_456');
INSERT INTO relationship VALUES('client_124','therapist_457');
INSERT INTO relationship VALUES('therapist_456','therapist_457');
INSERT INTO relationship VALUES('therapist_457','therapist_456');
CREATE TABLE subscriber (
    id TEXT NOT NULL PRIMARY KEY,
    -- JSON: the tags of the payloads that are wanted; all when empty.
    event_types TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    -- JSON.
    settings TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    -- The last event that was looked at for them: later ones have no deliveries yet.
    noted_to INTEGER NOT NULL
) STRICT;
CREATE TABLE delivery (
    subscriber_id TEXT NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL REFERENCES outbox (sequence) ON DELETE CASCADE,
    meeting_id BLOB NOT NULL CHECK (length(meeting_id) = 16),
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    due_ms INTEGER NOT NULL,
    claimed_until_ms INTEGER,
    -- How the last attempt ended.
    attempted_ms INTEGER,
    status INTEGER,
    error TEXT,
    PRIMARY KEY (subscriber_id, sequence)
) STRICT, WITHOUT ROWID;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('outbox',7);
CREATE INDEX meeting_by_client ON meeting (client_id, start_ms, id);
CREATE INDEX meeting_by_therapist ON meeting (therapist_id, start_ms, id);
CREATE INDEX meeting_of_two ON meeting (client_id, therapist_id, start_ms)
    WHERE status <> 'CANCELLED';
CREATE INDEX meeting_live_by_client ON meeting (client_id, start_ms)
    WHERE status IN ('SCHEDULED', 'CONFIRMED');
CREATE INDEX meeting_live_by_therapist ON meeting (therapist_id, start_ms)
    WHERE status IN ('SCHEDULED', 'CONFIRMED');
CREATE TRIGGER meeting_insert_overlap BEFORE INSERT ON meeting
WHEN NEW.status IN ('SCHEDULED', 'CONFIRMED')
BEGIN
    SELECT RAISE(ABORT, 'live meetings of one person overlap')
    WHERE EXISTS (
        SELECT 1 FROM meeting
        WHERE client_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
    ) OR EXISTS (
        SELECT 1 FROM meeting
        WHERE therapist_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
    );
END;
CREATE TRIGGER meeting_update_overlap
BEFORE UPDATE OF client_id, therapist_id, start_ms, duration_minutes, status ON meeting
WHEN NEW.status IN ('SCHEDULED', 'CONFIRMED')
BEGIN
    SELECT RAISE(ABORT, 'live meetings of one person overlap')
    WHERE EXISTS (
        SELECT 1 FROM meeting
        WHERE client_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
            AND id <> OLD.id
    ) OR EXISTS (
        SELECT 1 FROM meeting
        WHERE therapist_id IN (NEW.client_id, NEW.therapist_id)
            AND status IN ('SCHEDULED', 'CONFIRMED')
            AND start_ms > NEW.start_ms - 7200000
            AND start_ms < NEW.start_ms + NEW.duration_minutes * 60000
            AND start_ms + duration_minutes * 60000 > NEW.start_ms
            AND id <> OLD.id
    );
END;
CREATE INDEX availability_by_therapist
    ON availability (therapist_id, weekday, start_minute, end_minute, id);
CREATE TRIGGER availability_insert_overlap BEFORE INSERT ON availability
BEGIN
    SELECT RAISE(ABORT, 'availability of one day overlaps')
    WHERE EXISTS (
        SELECT 1 FROM availability
        WHERE therapist_id = NEW.therapist_id AND weekday = NEW.weekday
            AND start_minute < NEW.end_minute AND end_minute > NEW.start_minute
    );
END;
CREATE TRIGGER availability_update_overlap
BEFORE UPDATE OF therapist_id, weekday, start_minute, end_minute ON availability
BEGIN
    SELECT RAISE(ABORT, 'availability of one day overlaps')
    WHERE EXISTS (
        SELECT 1 FROM availability
        WHERE therapist_id = NEW.therapist_id AND weekday = NEW.weekday
            AND start_minute < NEW.end_minute AND end_minute > NEW.start_minute
            AND id <> OLD.id
    );
END;
CREATE INDEX idempotency_record_by_expiry ON idempotency_record (expires_ms);
CREATE INDEX outbox_by_client ON outbox (client_id);
CREATE INDEX outbox_by_therapist ON outbox (therapist_id);
CREATE INDEX outbox_by_age ON outbox (occurred_ms);
CREATE INDEX delivery_due ON delivery (subscriber_id, due_ms, sequence) WHERE state = 'pending';
CREATE INDEX delivery_of_meeting ON delivery (subscriber_id, meeting_id, sequence)
    WHERE state = 'pending';
CREATE INDEX delivery_by_state ON delivery (subscriber_id, state, sequence);
CREATE INDEX delivery_of_event ON delivery (sequence);
COMMIT;
