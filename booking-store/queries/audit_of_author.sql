-- As audit.sql, of an author ($5). Rows are compared so that no other index has that order, and so
-- that the index is left at its one end and at the other.
SELECT
    id AS "id!", unix_ms(at) AS "at_ms!", author_id AS "author_id!", author_role AS "author_role!",
    action AS "action!", subject_kind AS "subject_kind!", subject_id AS "subject_id!", person_1,
    person_2, person_3, fields AS "fields!: Json<AuditFields>"
FROM audit_entry
WHERE (author_id, at, id) < ($5, $2, $3) AND (author_id, at) >= ($5, $1)
ORDER BY author_id DESC, at DESC, id DESC
LIMIT $4
