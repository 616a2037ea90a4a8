-- Who changed what of sites, seasons, their processors and data sources, and when; a table nobody used goes.
-- depends: 0017_retention_and_deletion

DROP TABLE s4c.job_resource;

-- Triggers write it: a change without its record is not possible, whichever program makes it. It outlives what it is
-- about, so there are names and no references.
CREATE TABLE s4c.change_record (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor  text NOT NULL,
    action text NOT NULL CHECK (action IN ('added', 'changed', 'removed')),
    noun   text NOT NULL CHECK (noun IN ('site', 'season', 'processor', 'source')),
    name   text NOT NULL,
    site   text,
    season text,
    -- {field: {"from": value, "to": value}}
    fields jsonb NOT NULL
);
CREATE INDEX change_record_at_idx ON s4c.change_record (at);
CREATE INDEX change_record_site_idx ON s4c.change_record (site, id);

-- Whom the transaction named (set_config('s4c.actor', ..., true)), else who is deleting it, else the database's user.
CREATE FUNCTION s4c.change_actor(gone jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('s4c.actor', true), ''), gone ->> 'deleting_by',
                    'database user ' || session_user)
$$;

CREATE FUNCTION s4c.changed_fields(before jsonb, after jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(key, jsonb_build_object('from', before -> key, 'to', after -> key)), '{}')
    FROM (SELECT jsonb_object_keys(before || after) AS key) k
    WHERE key NOT IN ('id', 'site_id', 'season_id', 'processor_id', 'satellite_id', 'geom', 'geom_search',
                      'created_at', 'created_by')
      AND coalesce(before -> key, 'null') <> coalesce(after -> key, 'null')
$$;

CREATE FUNCTION s4c.record_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before      jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}'::jsonb ELSE to_jsonb(OLD) END;
    after       jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}'::jsonb ELSE to_jsonb(NEW) END;
    one         jsonb := before || after;
    of_site     text;
    of_season   text;
    of_name     text;
    differences jsonb := s4c.changed_fields(before, after);
BEGIN
    IF TG_OP = 'UPDATE' AND differences = '{}' THEN
        RETURN NULL;
    END IF;
    IF TG_ARGV[0] = 'site' THEN
        of_site := one ->> 'short_name';
        of_name := of_site;
    ELSIF TG_ARGV[0] = 'processor' THEN
        SELECT t.short_name, s.short_name, p.short_name INTO of_site, of_season, of_name
        FROM s4c.season s JOIN s4c.site t ON t.id = s.site_id, s4c.processor p
        WHERE s.id = (one ->> 'season_id')::bigint AND p.id = (one ->> 'processor_id')::smallint;
    ELSE
        SELECT short_name INTO of_site FROM s4c.site WHERE id = (one ->> 'site_id')::bigint;
        IF TG_ARGV[0] = 'season' THEN
            of_season := one ->> 'short_name';
            of_name := of_season;
        ELSE
            SELECT (one ->> 'name') || '/' || short_name INTO of_name
            FROM s4c.satellite WHERE id = (one ->> 'satellite_id')::smallint;
        END IF;
    END IF;
    -- what goes with its site or season: their own record says so
    IF TG_OP = 'DELETE' AND of_site IS NULL AND (TG_ARGV[0] <> 'source' OR one ->> 'site_id' IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    INSERT INTO s4c.change_record (actor, action, noun, name, site, season, fields)
    VALUES (s4c.change_actor(before), CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
            TG_ARGV[0], of_name, of_site, of_season, differences);
    RETURN NULL;
END
$$;

CREATE TRIGGER site_record AFTER INSERT OR UPDATE OR DELETE ON s4c.site
    FOR EACH ROW EXECUTE FUNCTION s4c.record_change('site');
CREATE TRIGGER season_record AFTER INSERT OR UPDATE OR DELETE ON s4c.season
    FOR EACH ROW EXECUTE FUNCTION s4c.record_change('season');
CREATE TRIGGER season_processor_record AFTER INSERT OR UPDATE OR DELETE ON s4c.season_processor
    FOR EACH ROW EXECUTE FUNCTION s4c.record_change('processor');
CREATE TRIGGER data_source_record AFTER INSERT OR UPDATE OR DELETE ON s4c.data_source
    FOR EACH ROW EXECUTE FUNCTION s4c.record_change('source');

-- The tiles of a site are chosen together: one record, not one a tile.
CREATE FUNCTION s4c.record_tiles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO s4c.change_record (actor, action, noun, name, site, fields)
    SELECT s4c.change_actor('{}'), 'changed', 'site', t.short_name, t.short_name,
           jsonb_build_object('tiles', jsonb_build_object(
               'from', coalesce(jsonb_agg(b.tile ORDER BY b.tile) FILTER (WHERE b.selected), '[]'),
               'to', coalesce(jsonb_agg(a.tile ORDER BY a.tile) FILTER (WHERE a.selected), '[]')))
    FROM tiles_before b
    JOIN tiles_after a USING (site_id, satellite_id, tile)
    JOIN s4c.site t ON t.id = site_id
    GROUP BY t.short_name
    HAVING bool_or(a.selected <> b.selected);
    RETURN NULL;
END
$$;
CREATE TRIGGER site_tile_record AFTER UPDATE ON s4c.site_tile
    REFERENCING OLD TABLE AS tiles_before NEW TABLE AS tiles_after
    FOR EACH STATEMENT EXECUTE FUNCTION s4c.record_tiles();
