-- What is made once, after all rows are there, instead of row by row: how it is dropped, and how it
-- comes back.
SELECT format('DROP INDEX %s', indexrelid::regclass) AS drop, pg_get_indexdef(indexrelid) AS make
FROM pg_index
WHERE indrelid = 'meeting'::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
UNION ALL
SELECT
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
    -- Built in batches: row by row, a GiST index over texts takes several times as long.
    format('ALTER TABLE %1$s ADD CONSTRAINT %2$I %3$s; ALTER INDEX %2$I RESET (buffering)',
        conrelid::regclass, conname,
        replace(pg_get_constraintdef(oid), ') DEFERRABLE', ') WITH (buffering = on) DEFERRABLE'))
FROM pg_constraint WHERE conrelid = 'busy'::regclass AND contype = 'x'
