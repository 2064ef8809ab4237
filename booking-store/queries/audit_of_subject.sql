-- As audit.sql, of a subject ($5), and of an author ($6) and a person ($7) if they are not null.
SELECT
    id AS "id!", unix_ms(at) AS "at_ms!", author_id AS "author_id!", author_role AS "author_role!",
    action AS "action!", subject_kind AS "subject_kind!", subject_id AS "subject_id!", person_1,
    person_2, person_3, fields AS "fields!: Json<AuditFields>"
FROM audit_entry
WHERE (subject_id, at, id) < ($5, $2, $3) AND (subject_id, at) >= ($5, $1)
    AND ($6::text IS NULL OR author_id = $6)
    AND ($7::text IS NULL OR $7 IN (person_1, person_2, person_3))
ORDER BY subject_id DESC, at DESC, id DESC
LIMIT $4
