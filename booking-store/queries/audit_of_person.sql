-- As audit.sql, of a person ($5), and of an author ($6) if that is not null. Each part comes in
-- order from its index, has what the others have not, and ends when the page is full.
SELECT
    id AS "id!", unix_ms(at) AS "at_ms!", author_id AS "author_id!", author_role AS "author_role!",
    action AS "action!", subject_kind AS "subject_kind!", subject_id AS "subject_id!", person_1,
    person_2, person_3, fields AS "fields!: Json<AuditFields>"
FROM (
    (
        SELECT * FROM audit_entry
        WHERE (person_1, at, id) < ($5, $2, $3) AND (person_1, at) >= ($5, $1)
            AND person_1 IS NOT NULL AND ($6::text IS NULL OR author_id = $6)
        ORDER BY person_1 DESC, at DESC, id DESC LIMIT $4
    )
    UNION ALL
    (
        SELECT * FROM audit_entry
        WHERE (person_2, at, id) < ($5, $2, $3) AND (person_2, at) >= ($5, $1)
            AND person_2 IS NOT NULL AND ($6::text IS NULL OR author_id = $6)
        ORDER BY person_2 DESC, at DESC, id DESC LIMIT $4
    )
    UNION ALL
    (
        SELECT * FROM audit_entry
        WHERE (person_3, at, id) < ($5, $2, $3) AND (person_3, at) >= ($5, $1)
            AND person_3 IS NOT NULL AND ($6::text IS NULL OR author_id = $6)
        ORDER BY person_3 DESC, at DESC, id DESC LIMIT $4
    )
) AS of_person
ORDER BY at DESC, id DESC
LIMIT $4
