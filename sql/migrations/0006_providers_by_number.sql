-- What sources offer of an acquisition, by the number of the source: sources of several sites may have one name.
-- depends: 0005_lookup_indexes

UPDATE s4c.acquisition a
SET providers = (
    SELECT jsonb_object_agg(entry.value ->> 'data_source_id',
                            jsonb_build_object('name', entry.key, 'address', entry.value ->> 'address'))
    FROM jsonb_each(a.providers) AS entry
)
WHERE EXISTS (SELECT 1 FROM jsonb_each(a.providers) AS entry WHERE entry.value ? 'data_source_id');
