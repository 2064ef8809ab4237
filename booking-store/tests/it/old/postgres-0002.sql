-- How this was made is said in old.rs.

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

COMMENT ON EXTENSION btree_gist IS 'support for indexing common datatypes in GiST';

CREATE FUNCTION public.keep_busy() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM busy WHERE meeting_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status IN ('SCHEDULED', 'CONFIRMED') THEN
        INSERT INTO busy (meeting_id, person_id, during)
        SELECT NEW.id, person_id, tstzrange(
            NEW.start_at, NEW.start_at + NEW.duration_minutes * interval '1 minute'
        )
        FROM unnest(ARRAY[NEW.client_id, NEW.therapist_id]) AS person_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.unix_ms(at timestamp with time zone) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((EXTRACT(epoch FROM at) * (1000)::numeric))::bigint;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);

CREATE TABLE public.availability (
    id uuid NOT NULL,
    therapist_id text NOT NULL COLLATE pg_catalog."C",
    weekday bigint NOT NULL,
    start_minute bigint NOT NULL,
    end_minute bigint NOT NULL,
    is_available boolean NOT NULL,
    notes text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT availability_check CHECK (((start_minute < end_minute) AND (end_minute <= 1440))),
    CONSTRAINT availability_start_minute_check CHECK ((start_minute >= 0)),
    CONSTRAINT availability_weekday_check CHECK (((weekday >= 0) AND (weekday <= 6)))
);

CREATE TABLE public.busy (
    meeting_id uuid NOT NULL,
    person_id text NOT NULL COLLATE pg_catalog."C",
    during tstzrange NOT NULL
);

CREATE TABLE public.calendar (
    person_id text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.delivery (
    subscriber_id text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    meeting_id uuid NOT NULL,
    state text NOT NULL,
    failures bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_until timestamp with time zone,
    attempted_at timestamp with time zone,
    status bigint,
    error text,
    CONSTRAINT delivery_failures_check CHECK ((failures >= 0)),
    CONSTRAINT delivery_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'dead'::text])))
);

CREATE TABLE public.directory_user (
    id text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text NOT NULL,
    zone text,
    CONSTRAINT directory_user_role_check CHECK ((role = ANY (ARRAY['client'::text, 'therapist'::text, 'admin'::text])))
);

CREATE TABLE public.idempotency_record (
    user_id text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    answer json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_record_fingerprint_check CHECK ((length(fingerprint) = 32))
);

CREATE TABLE public.log_end (
    id smallint NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT log_end_id_check CHECK ((id = 1))
);

CREATE TABLE public.meeting (
    id uuid NOT NULL,
    version bigint NOT NULL,
    client_id text NOT NULL COLLATE pg_catalog."C",
    therapist_id text NOT NULL COLLATE pg_catalog."C",
    start_at timestamp with time zone NOT NULL,
    duration_minutes bigint NOT NULL,
    status text NOT NULL,
    meeting_type text NOT NULL,
    title text NOT NULL,
    description text,
    meeting_url text,
    session_notes text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT meeting_check CHECK ((therapist_id <> client_id)),
    CONSTRAINT meeting_duration_minutes_check CHECK ((duration_minutes = ANY (ARRAY[(30)::bigint, (60)::bigint, (90)::bigint, (120)::bigint]))),
    CONSTRAINT meeting_meeting_type_check CHECK ((meeting_type = ANY (ARRAY['video'::text, 'audio'::text, 'in_person'::text, 'chat'::text]))),
    CONSTRAINT meeting_status_check CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'CONFIRMED'::text, 'COMPLETED'::text, 'CANCELLED'::text, 'NO_SHOW'::text]))),
    CONSTRAINT meeting_version_check CHECK ((version >= 1))
);

CREATE TABLE public.outbox (
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    meeting_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    payload json NOT NULL,
    "position" bigint,
    client_id text GENERATED ALWAYS AS (((payload -> 'data'::text) ->> 'clientId'::text)) STORED COLLATE pg_catalog."C",
    therapist_id text GENERATED ALWAYS AS (((payload -> 'data'::text) ->> 'therapistId'::text)) STORED COLLATE pg_catalog."C",
    event_type text GENERATED ALWAYS AS ((payload ->> 'type'::text)) STORED
);

ALTER TABLE public.outbox ALTER COLUMN sequence ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_sequence_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.relationship (
    client_id text NOT NULL COLLATE pg_catalog."C",
    therapist_id text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.subscriber (
    id text NOT NULL COLLATE pg_catalog."C",
    event_types jsonb NOT NULL,
    is_active boolean NOT NULL,
    settings json NOT NULL,
    created_at timestamp with time zone NOT NULL
);

INSERT INTO public._sqlx_migrations VALUES (1, 'initial', '2026-11-23 01:35:35.926432+00', true, '\x5f2eaa0683e93752b5daf501d26e723ef76f05e5a84c80b93acf41f7f75b2e18026b234a9b851a35e65e6f72d2308b2c', 32444568);
INSERT INTO public._sqlx_migrations VALUES (2, 'deliveries', '2026-11-23 01:35:35.959394+00', true, '\xcda836214a6c4610c081e35edf766b7d2b699190b9676739c1d5cd0f276396aa8150b950b7f7f7b28915436450f0fff4', 6789956);

INSERT INTO public.availability VALUES ('018cc4e5-2200-79d7-8e9d-598f44fab4c5', 'therapist_457', 0, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018cc4e5-2200-7f76-8e86-390d374fc056', 'therapist_457', 1, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018cc4e5-2200-7e06-988d-9e3a090a64d6', 'therapist_457', 2, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018cc4e5-2200-75c2-a8a1-77bdb4955a3c', 'therapist_457', 3, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018cc4e5-2200-7c94-8417-9d134a6a84c6', 'therapist_457', 4, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018cc4e5-2200-78c5-b8b0-bd1d2d914a80', 'therapist_457', 5, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018cc4e5-2200-771e-a1b5-4b70f438b653', 'therapist_457', 6, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018c0000-0000-7000-8000-000000000064', 'therapist_456', 0, 0, 1440, true, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018c0000-0000-7000-8000-000000000065', 'therapist_456', 1, 540, 720, true, 'Zoë''s "50 %" — \n, 👩‍⚕️
	and '';DROP TABLE meeting;--', '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.availability VALUES ('018c0000-0000-7000-8000-000000000066', 'therapist_456', 1, 720, 1439, false, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');

INSERT INTO public.busy VALUES ('018c0000-0000-7000-8000-000000000000', 'client_123', '["2024-01-15 10:00:00+00","2024-01-15 11:00:00+00")');
INSERT INTO public.busy VALUES ('018c0000-0000-7000-8000-000000000000', 'therapist_456', '["2024-01-15 10:00:00+00","2024-01-15 11:00:00+00")');
INSERT INTO public.busy VALUES ('018c0000-0000-7000-8000-000000000001', 'client_123', '["2024-01-15 13:00:00+00","2024-01-15 13:30:00+00")');
INSERT INTO public.busy VALUES ('018c0000-0000-7000-8000-000000000001', 'therapist_456', '["2024-01-15 13:00:00+00","2024-01-15 13:30:00+00")');
INSERT INTO public.busy VALUES ('018cc4e5-2200-7000-8000-000000000001', 'client_123', '["2024-01-15 01:30:00+00","2024-01-15 03:00:00+00")');
INSERT INTO public.busy VALUES ('018cc4e5-2200-7000-8000-000000000001', 'therapist_457', '["2024-01-15 01:30:00+00","2024-01-15 03:00:00+00")');

INSERT INTO public.calendar VALUES ('client_123');
INSERT INTO public.calendar VALUES ('client_124');
INSERT INTO public.calendar VALUES ('therapist_456');
INSERT INTO public.calendar VALUES ('therapist_457');

INSERT INTO public.directory_user VALUES ('therapist_457', 'therapist', 'Jane', 'Smith', 'jane.smith@example.com', NULL);
INSERT INTO public.directory_user VALUES ('client_124', 'client', 'Jane', 'Smith', 'jane.smith@example.com', NULL);
INSERT INTO public.directory_user VALUES ('therapist_456', 'therapist', 'Jane', 'Müller-O''Brien', 'jane.smith@example.com', 'Europe/Berlin');
INSERT INTO public.directory_user VALUES ('client_123', 'client', 'Jane', 'Smith', 'jane.smith@example.com', NULL);

INSERT INTO public.idempotency_record VALUES ('client_123', 'an old key; with a %', '\xcbfe1e6d4e87fe231b3be146e6c68ce9dd3c6fe89ac4d9c08b23a08e6b4f0660', '{"meeting":{"id":"meeting_01hk2ea8g0e008000000000001","version":1,"client":"client_123","therapist":"therapist_457","start":"2024-01-15T01:30:00Z","duration":90,"status":"SCHEDULED","meeting_type":"video","title":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","description":null,"meeting_url":null,"session_notes":null,"created_at":"2024-01-01T12:00:00Z","updated_at":"2024-01-01T12:00:00Z"}}', '2024-01-01 12:00:00+00', '2024-01-02 12:00:00+00');

INSERT INTO public.log_end VALUES (1, 0);

INSERT INTO public.meeting VALUES ('018c0000-0000-7000-8000-000000000000', 7, 'client_123', 'therapist_456', '2024-01-15 10:00:00+00', 60, 'SCHEDULED', 'video', 'Therapy Session', NULL, 'https://example.com/a?b=%20#c', NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00.001+00');
INSERT INTO public.meeting VALUES ('018c0000-0000-7000-8000-000000000001', 1, 'client_123', 'therapist_456', '2024-01-15 13:00:00+00', 30, 'CONFIRMED', 'audio', 'Zoë''s "50 %" — \n, 👩‍⚕️
	and '';DROP TABLE meeting;--', '', NULL, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.meeting VALUES ('018c0000-0000-7000-8000-000000000002', 1, 'client_124', 'therapist_456', '2024-01-15 16:00:00+00', 120, 'COMPLETED', 'in_person', 'Therapy Session', NULL, NULL, 'Zoë''s "50 %" — \n, 👩‍⚕️
	and '';DROP TABLE meeting;--', '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.meeting VALUES ('018c0000-0000-7000-8000-000000000003', 1, 'client_123', 'therapist_456', '2024-01-15 19:00:00+00', 60, 'CANCELLED', 'chat', '', NULL, NULL, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.meeting VALUES ('018c0000-0000-7000-8000-000000000004', 1, 'client_123', 'therapist_456', '2024-01-15 22:00:00+00', 60, 'NO_SHOW', 'video', 'Therapy Session', NULL, NULL, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');
INSERT INTO public.meeting VALUES ('018cc4e5-2200-7000-8000-000000000001', 1, 'client_123', 'therapist_457', '2024-01-15 01:30:00+00', 90, 'SCHEDULED', 'video', 'Zoë''s "50 %" — \n, 👩‍⚕️
	and '';DROP TABLE meeting;--', NULL, NULL, NULL, '2024-01-01 12:00:00+00', '2024-01-01 12:00:00+00');

INSERT INTO public.outbox OVERRIDING SYSTEM VALUE VALUES (1, '018c0000-0000-7000-8000-0000000000c8', '018c0000-0000-7000-8000-000000000000', '2024-01-01 12:00:00+00', '{"type":"AppointmentBooked","data":{"appointmentId":"meeting_01hg000000e008000000000000","clientId":"client_123","therapistId":"therapist_456","startTime":"2024-01-15T10:00:00.000Z","meetingType":"video","duration":60,"title":"Therapy Session","isInitialConsultation":true}}', NULL, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO public.outbox OVERRIDING SYSTEM VALUE VALUES (2, '018c0000-0000-7000-8000-0000000000c9', '018c0000-0000-7000-8000-000000000001', '2024-01-01 12:00:00+00', '{"type":"AppointmentBooked","data":{"appointmentId":"meeting_01hg000000e008000000000001","clientId":"client_123","therapistId":"therapist_456","startTime":"2024-01-15T13:00:00.000Z","meetingType":"audio","duration":30,"title":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","description":"","isInitialConsultation":true}}', NULL, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO public.outbox OVERRIDING SYSTEM VALUE VALUES (3, '018c0000-0000-7000-8000-0000000000ca', '018c0000-0000-7000-8000-000000000001', '2024-01-01 12:00:00+00', '{"type":"AppointmentRescheduled","data":{"appointmentId":"meeting_01hg000000e008000000000001","clientId":"client_123","therapistId":"therapist_456","rescheduledBy":"client_123","originalStartTime":"2024-01-15T01:00:00.000Z","newStartTime":"2024-01-15T13:00:00.000Z","rescheduleReason":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--"}}', NULL, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO public.outbox OVERRIDING SYSTEM VALUE VALUES (4, '018c0000-0000-7000-8000-0000000000cb', '018c0000-0000-7000-8000-000000000002', '2024-01-01 12:00:00+00', '{"type":"AppointmentCompleted","data":{"appointmentId":"meeting_01hg000000e008000000000002","clientId":"client_124","therapistId":"therapist_456","completedAt":"2024-01-15T16:00:00.001Z","duration":120,"sessionNotes":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","attendanceStatus":"ATTENDED"}}', NULL, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO public.outbox OVERRIDING SYSTEM VALUE VALUES (5, '018c0000-0000-7000-8000-0000000000cc', '018c0000-0000-7000-8000-000000000003', '2024-01-01 12:00:00+00', '{"type":"AppointmentCancelled","data":{"appointmentId":"meeting_01hg000000e008000000000003","clientId":"client_123","therapistId":"therapist_456","cancelledBy":"therapist_456","cancellationReason":"","originalStartTime":"2024-01-15T19:00:00.000Z","cancelledAt":"2024-01-01T12:00:00.000Z","cancellationNotice":0.3333333333333333}}', NULL, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO public.outbox OVERRIDING SYSTEM VALUE VALUES (6, '018c0000-0000-7000-8000-0000000000cd', '018c0000-0000-7000-8000-000000000004', '2024-01-01 12:00:00+00', '{"type":"AppointmentCompleted","data":{"appointmentId":"meeting_01hg000000e008000000000004","clientId":"client_123","therapistId":"therapist_456","completedAt":"2024-01-15T16:00:00.001Z","duration":120,"sessionNotes":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","attendanceStatus":"NO_SHOW"}}', NULL, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO public.outbox OVERRIDING SYSTEM VALUE VALUES (7, '018cc4e5-2200-7000-8000-000000000002', '018cc4e5-2200-7000-8000-000000000001', '2024-01-01 12:00:00+00', '{"type":"AppointmentBooked","data":{"appointmentId":"meeting_01hk2ea8g0e008000000000001","clientId":"client_123","therapistId":"therapist_457","startTime":"2024-01-15T01:30:00.000Z","meetingType":"video","duration":90,"title":"Zoë''s \"50 %\" — \\n, 👩‍⚕️\n\tand '';DROP TABLE meeting;--","isInitialConsultation":true}}', NULL, DEFAULT, DEFAULT, DEFAULT);

INSERT INTO public.relationship VALUES ('therapist_456', 'therapist_457');
INSERT INTO public.relationship VALUES ('therapist_457', 'therapist_456');
INSERT INTO public.relationship VALUES ('client_123', 'therapist_456');
INSERT INTO public.relationship VALUES ('client_123', 'therapist_457');
INSERT INTO public.relationship VALUES ('client_124', 'therapist_456');
INSERT INTO public.relationship VALUES ('client_124', 'therapist_457');

SELECT pg_catalog.setval('public.outbox_sequence_seq', 7, true);

ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.availability
    ADD CONSTRAINT availability_of_one_day_overlaps EXCLUDE USING gist (therapist_id WITH =, weekday WITH =, int8range(start_minute, end_minute) WITH &&) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.availability
    ADD CONSTRAINT availability_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.busy
    ADD CONSTRAINT busy_pkey PRIMARY KEY (meeting_id, person_id);

ALTER TABLE ONLY public.calendar
    ADD CONSTRAINT calendar_pkey PRIMARY KEY (person_id);

ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_pkey PRIMARY KEY (subscriber_id, "position");

ALTER TABLE ONLY public.directory_user
    ADD CONSTRAINT directory_user_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_record
    ADD CONSTRAINT idempotency_record_pkey PRIMARY KEY (user_id, key);

ALTER TABLE ONLY public.busy
    ADD CONSTRAINT live_meetings_of_one_person_overlap EXCLUDE USING gist (person_id WITH =, during WITH &&) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.log_end
    ADD CONSTRAINT log_end_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.meeting
    ADD CONSTRAINT meeting_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (sequence);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_position_key UNIQUE ("position");

ALTER TABLE ONLY public.relationship
    ADD CONSTRAINT relationship_pkey PRIMARY KEY (client_id, therapist_id);

ALTER TABLE ONLY public.subscriber
    ADD CONSTRAINT subscriber_pkey PRIMARY KEY (id);

CREATE INDEX availability_by_therapist ON public.availability USING btree (therapist_id, weekday, start_minute, end_minute, id);

CREATE INDEX delivery_by_state ON public.delivery USING btree (subscriber_id, state, "position");

CREATE INDEX delivery_due ON public.delivery USING btree (subscriber_id, due_at, "position") WHERE (state = 'pending'::text);

CREATE INDEX delivery_of_event ON public.delivery USING btree ("position");

CREATE INDEX delivery_of_meeting ON public.delivery USING btree (subscriber_id, meeting_id, "position") WHERE (state = 'pending'::text);

CREATE INDEX idempotency_record_by_expiry ON public.idempotency_record USING btree (expires_at);

CREATE INDEX meeting_by_client ON public.meeting USING btree (client_id, start_at, id);

CREATE INDEX meeting_by_therapist ON public.meeting USING btree (therapist_id, start_at, id);

CREATE INDEX meeting_live_by_client ON public.meeting USING btree (client_id, start_at) WHERE (status = ANY (ARRAY['SCHEDULED'::text, 'CONFIRMED'::text]));

CREATE INDEX meeting_live_by_therapist ON public.meeting USING btree (therapist_id, start_at) WHERE (status = ANY (ARRAY['SCHEDULED'::text, 'CONFIRMED'::text]));

CREATE INDEX meeting_of_two ON public.meeting USING btree (client_id, therapist_id, start_at) WHERE (status <> 'CANCELLED'::text);

CREATE INDEX outbox_by_age ON public.outbox USING btree (occurred_at, "position") WHERE ("position" IS NOT NULL);

CREATE INDEX outbox_by_client ON public.outbox USING btree (client_id, "position") WHERE ("position" IS NOT NULL);

CREATE INDEX outbox_by_therapist ON public.outbox USING btree (therapist_id, "position") WHERE ("position" IS NOT NULL);

CREATE INDEX outbox_unpublished ON public.outbox USING btree (sequence) WHERE ("position" IS NULL);

CREATE TRIGGER meeting_comes_or_goes AFTER INSERT OR DELETE ON public.meeting FOR EACH ROW EXECUTE FUNCTION public.keep_busy();

CREATE TRIGGER meeting_moves AFTER UPDATE ON public.meeting FOR EACH ROW WHEN (((((((old.id IS DISTINCT FROM new.id) OR (old.client_id IS DISTINCT FROM new.client_id)) OR (old.therapist_id IS DISTINCT FROM new.therapist_id)) OR (old.start_at IS DISTINCT FROM new.start_at)) OR (old.duration_minutes IS DISTINCT FROM new.duration_minutes)) OR (old.status IS DISTINCT FROM new.status))) EXECUTE FUNCTION public.keep_busy();

ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_position_fkey FOREIGN KEY ("position") REFERENCES public.outbox("position") ON DELETE CASCADE;

ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_subscriber_id_fkey FOREIGN KEY (subscriber_id) REFERENCES public.subscriber(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.relationship
    ADD CONSTRAINT relationship_client_id_fkey FOREIGN KEY (client_id) REFERENCES public.directory_user(id);

ALTER TABLE ONLY public.relationship
    ADD CONSTRAINT relationship_therapist_id_fkey FOREIGN KEY (therapist_id) REFERENCES public.directory_user(id);
