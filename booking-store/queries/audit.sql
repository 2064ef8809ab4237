-- At most $4 entries of the audit log from $1 on that come before $2 and $3, the latest first.
SELECT
    id AS "id!", unix_ms(at) AS "at_ms!", author_id AS "author_id!", author_role AS "author_role!",
    action AS "action!", subject_kind AS "subject_kind!", subject_id AS "subject_id!", person_1,
    person_2, person_3, fields AS "fields!: Json<AuditFields>"
FROM audit_entry
WHERE (at, id) < ($2, $3) AND at >= $1
ORDER BY at DESC, id DESC
LIMIT $4
