-- The fields of events are typed: lengths of time are seconds, lists are lists, and where a row stands is a
-- kind and an id. `resolvers` had texts with commas of their own, so it becomes a list of one.
UPDATE event SET detail = (
    SELECT json_group_object(
        CASE WHEN key IN ('took', 'after', 'after_added', 'ends_in', 'not_working_for')
            THEN key || '_s' ELSE key END,
        CASE
            WHEN key IN ('took', 'after', 'after_added', 'ends_in', 'not_working_for') THEN (
                SELECT sum(CAST(value AS INTEGER) * CASE substr(value, -1)
                    WHEN 'd' THEN 86400 WHEN 'h' THEN 3600 WHEN 'm' THEN 60 ELSE 1 END)
                FROM json_each('[' || replace(json_quote(field.value), ' ', '","') || ']'))
            WHEN key IN ('verdicts', 'blockers', 'examples', 'changed')
                THEN json('[' || replace(json_quote(replace(value, ', …', '')), ', ', '","') || ']')
            WHEN key = 'resolvers' THEN json_array(value)
            ELSE value END)
    FROM json_each(detail) field)
WHERE name IN ('dns.right', 'dns.steady', 'dns.unsteady', 'certificate.valid', 'certificate.last_day',
        'certificate.blocked', 'domain.needs_attention', 'sync.domains_lost', 'sync.domains_not_listed',
        'sync.domains_still_listed', 'sync.calls_failed', 'checks.resolver_silent', 'checks.resolver_sick',
        'checks.resolver_odd', 'daemon.reloaded')
    AND json_valid(detail);
UPDATE event SET detail = json_set(json_remove(detail, '$.origin'),
    '$.kind', substr(detail->>'origin', 1, instr(detail->>'origin', ' ') - 1),
    '$.id', CAST(substr(detail->>'origin', instr(detail->>'origin', ' ') + 1) AS INTEGER))
WHERE name IN ('row.invalid', 'domain.not_desired') AND json_valid(detail)
    AND detail->>'origin' IS NOT NULL;
