-- What the load tool keeps for itself, beside the tables of booking-store.
CREATE SCHEMA load;

-- Written when everything else is there.
CREATE TABLE load.filled (
    monday date NOT NULL,
    therapists bigint NOT NULL,
    meetings bigint NOT NULL,
    at timestamptz NOT NULL
);

-- UUIDs in the order of time, as the server makes them.
CREATE FUNCTION load.id(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE
    RETURN (
        lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '7' || substr(gen_random_uuid()::text, 16)
    )::uuid;

-- The n-th working day from a Monday on; before it, if n is negative.
CREATE FUNCTION load.working_day(monday date, n bigint) RETURNS date LANGUAGE sql IMMUTABLE
    RETURN monday + (7 * floor(n / 5.0) + n - 5 * floor(n / 5.0))::int;
