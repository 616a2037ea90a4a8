-- Declared parcels in versions, rows of practice tables, what a season reads of all that, and the history of uploads.
-- depends: 0006_providers_by_number

-- Every state an upload went through.
CREATE TABLE s4c.auxdata_change (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    auxdata_version_id bigint NOT NULL REFERENCES s4c.auxdata_version ON DELETE CASCADE,
    state              s4c.auxdata_state NOT NULL,
    changed_by         text NOT NULL,
    changed_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX auxdata_change_version_idx ON s4c.auxdata_change (auxdata_version_id, id);

CREATE TYPE s4c.import_mode AS ENUM ('update', 'incremental', 'replace');
-- removed: the parcels are gone, nothing referred to them; what was imported when stays known
CREATE TYPE s4c.parcel_set_state AS ENUM ('active', 'superseded', 'removed');
CREATE TYPE s4c.parcel_change AS ENUM ('new', 'deleted', 'unchanged', 'attribute', 'minor', 'major');

-- A version of the declarations of a site and year. Immutable; only its state changes.
CREATE TABLE s4c.parcel_set (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id            bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    year               integer NOT NULL CHECK (year BETWEEN 1900 AND 9999),
    version            integer NOT NULL CHECK (version > 0),
    auxdata_version_id bigint NOT NULL REFERENCES s4c.auxdata_version ON DELETE CASCADE,
    -- the version its numbers go on from
    base_id            bigint REFERENCES s4c.parcel_set ON DELETE SET NULL,
    mode               s4c.import_mode NOT NULL,
    -- of the geometry, which stays in the system it was delivered in; 0 where that has no EPSG code
    srid               integer NOT NULL,
    crs_wkt            text NOT NULL,
    mapping            jsonb NOT NULL,
    profile            text NOT NULL CHECK (profile IN ('default', 'reference')),
    counts             jsonb NOT NULL,
    report             jsonb NOT NULL,
    folder             text NOT NULL,
    state              s4c.parcel_set_state NOT NULL DEFAULT 'active',
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by         text NOT NULL,
    UNIQUE (site_id, year, version)
);
CREATE UNIQUE INDEX parcel_set_one_active ON s4c.parcel_set (site_id, year) WHERE state = 'active';
CREATE INDEX parcel_set_auxdata_idx ON s4c.parcel_set (auxdata_version_id);
CREATE INDEX parcel_set_base_idx ON s4c.parcel_set (base_id);

-- Partitions: parcel_<site>, in it parcel_<site>_<year>, in it one table a version, filled and indexed before it is
-- attached, so readers never wait and a version goes by dropping its table.
CREATE TABLE s4c.parcel (
    site_id           bigint NOT NULL,
    year              integer NOT NULL,
    parcel_set_id     bigint NOT NULL,
    new_id            integer NOT NULL CHECK (new_id > 0),
    hold_id           integer CHECK (hold_id > 0),
    ori_id            text NOT NULL,
    ori_id_raw        text NOT NULL,
    ori_hold          text,
    ori_crop          text,
    geom              geometry,
    geom_valid        boolean NOT NULL,
    geom_repaired     boolean NOT NULL,
    n_parts           integer NOT NULL,
    area_meters       double precision NOT NULL CHECK (area_meters >= 0),
    shape_ind         double precision,
    overlap           boolean NOT NULL,
    overlap_amount    double precision NOT NULL,
    duplic            boolean NOT NULL,
    duplic_group      integer NOT NULL,
    s2_pix            integer,
    s1_pix            integer,
    shared_pix        integer,
    primary_tile      text,
    declared_area     double precision,
    is_deleted        boolean NOT NULL,
    change            s4c.parcel_change,
    geom_change_ratio double precision,
    inserted_at       timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    src_row           bigint,
    attrs             jsonb,
    PRIMARY KEY (new_id, parcel_set_id, year, site_id),
    UNIQUE (ori_id, parcel_set_id, year, site_id)
) PARTITION BY LIST (site_id);
CREATE INDEX parcel_geom_idx ON s4c.parcel USING gist (geom);

-- Pixels of a parcel on a grid, those shared with other parcels among them; one partition a version, made with it.
CREATE TABLE s4c.parcel_pixel (
    parcel_set_id bigint NOT NULL,
    grid          text NOT NULL,
    new_id        integer NOT NULL,
    n             integer NOT NULL,
    n_shared      integer NOT NULL,
    PRIMARY KEY (new_id, grid, parcel_set_id)
) PARTITION BY LIST (parcel_set_id);

CREATE FUNCTION s4c.parcel_table(site_id bigint, year integer, version integer) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT format('parcel_%s_%s_v%s', site_id, year, lpad(version::text, greatest(3, length(version::text)), '0'))
$$;

-- Parcels go with their version, however that goes.
CREATE FUNCTION s4c.drop_parcels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS s4c.%I', s4c.parcel_table(OLD.site_id, OLD.year, OLD.version));
    EXECUTE format('DROP TABLE IF EXISTS s4c.%I', 'parcel_pixel_' || OLD.id);
    RETURN NULL;
END;
$$;
CREATE TRIGGER parcel_set_deleted AFTER DELETE ON s4c.parcel_set
    FOR EACH ROW WHEN (OLD.state <> 'removed') EXECUTE FUNCTION s4c.drop_parcels();
CREATE TRIGGER parcel_set_removed AFTER UPDATE OF state ON s4c.parcel_set
    FOR EACH ROW WHEN (NEW.state = 'removed' AND OLD.state <> 'removed') EXECUTE FUNCTION s4c.drop_parcels();

-- Numbers of holdings, of every version: a holding that comes back has the number it had.
CREATE TABLE s4c.holding (
    site_id  bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    year     integer NOT NULL,
    hold_id  integer NOT NULL CHECK (hold_id > 0),
    ori_hold text NOT NULL,
    PRIMARY KEY (site_id, year, hold_id),
    UNIQUE (site_id, year, ori_hold)
);

-- Who reads a version: as long as a product or an open job does, it is not removed.
CREATE TABLE s4c.parcel_set_use (
    parcel_set_id bigint NOT NULL REFERENCES s4c.parcel_set ON DELETE CASCADE,
    job_id        bigint REFERENCES s4c.job ON DELETE CASCADE,
    product_id    bigint REFERENCES s4c.product ON DELETE CASCADE,
    CONSTRAINT parcel_set_use_key UNIQUE NULLS NOT DISTINCT (parcel_set_id, job_id, product_id),
    CHECK (num_nonnulls(job_id, product_id) = 1)
);
CREATE INDEX parcel_set_use_job_idx ON s4c.parcel_set_use (job_id);
CREATE INDEX parcel_set_use_product_idx ON s4c.parcel_set_use (product_id);

-- Rows of practice tables as given; the parcel is looked up at each run, so a table may come before the declarations.
CREATE TABLE s4c.l4c_practice (
    auxdata_version_id bigint NOT NULL REFERENCES s4c.auxdata_version ON DELETE CASCADE,
    practice           text NOT NULL CHECK (practice IN ('CC', 'FL', 'NFC', 'NA')),
    ori_id             text NOT NULL,
    line               bigint NOT NULL,
    main_crop          text,
    veg_start          date,
    h_start            date,
    h_end              date,
    -- as written in the columns PRACTICE and P_TYPE
    practice_name      text,
    p_type             text,
    p_start            date,
    p_end              date,
    -- a date is missing, unreadable or out of order: the row gets a result that says so
    bad_dates          boolean NOT NULL,
    PRIMARY KEY (auxdata_version_id, practice, ori_id)
);

-- What a season reads: the versions in force of its site and year.
CREATE VIEW s4c.season_input AS
SELECT s.id AS season_id, v.kind, v.id AS auxdata_version_id, p.id AS parcel_set_id
FROM s4c.season s
JOIN s4c.auxdata_version v ON v.site_id = s.site_id AND v.year = s.year AND v.state = 'active'
LEFT JOIN s4c.parcel_set p ON p.auxdata_version_id = v.id AND p.state = 'active';

-- Crop codes of every version of a look-up table, from its parsed form (a list for each column).
CREATE VIEW s4c.crop_lut AS
SELECT v.id AS auxdata_version_id, v.site_id, v.year, v.state, l.*
FROM s4c.auxdata_version v,
     ROWS FROM (
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'Ori_crop'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'CTnum'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'CT'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'LC'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'CTnumL4A'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'CTL4A'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'CTnumDIV'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'CTDIV'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'EAA'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'AL'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'PGrass'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'TGrass'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'Fallow'),
         jsonb_array_elements_text(v.parsed -> 'columns' -> 'Cwater')
     ) AS raw (ori_crop, ctnum, ct, lc, ctnuml4a, ctl4a, ctnumdiv, ctdiv, eaa, al, pgrass, tgrass, fallow, cwater),
     LATERAL (
         SELECT raw.ori_crop, raw.ctnum::integer, raw.ct, raw.lc::smallint, raw.ctnuml4a::integer, raw.ctl4a,
                raw.ctnumdiv::integer, raw.ctdiv, raw.eaa::boolean, raw.al::boolean, raw.pgrass::boolean,
                raw.tgrass::boolean, raw.fallow::boolean, raw.cwater::boolean
     ) AS l
WHERE v.kind = 'lut' AND v.parsed IS NOT NULL;

-- Why a processor leaves a parcel out, whatever its parameters are; null where it does not. Limits of pixels, crops
-- and land cover are parameters of a run and are applied by it.
CREATE FUNCTION s4c.why_not_eligible(
    processor text, is_deleted boolean, geom_valid boolean, geom_repaired boolean, duplic boolean, overlap boolean
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN is_deleted THEN 'deleted'
        WHEN NOT (geom_valid OR geom_repaired) THEN 'geometry'
        WHEN processor = 's4c_l4a' AND duplic THEN 'duplicate'
        WHEN processor = 's4c_l4a' AND overlap THEN 'overlap'
    END
$$;

CREATE VIEW s4c.parcel_eligible AS
SELECT p.site_id, p.year, p.parcel_set_id, p.new_id, c.processor,
       s4c.why_not_eligible(
           c.processor, p.is_deleted, p.geom_valid, p.geom_repaired, p.duplic, p.overlap
       ) AS reason
FROM s4c.parcel p CROSS JOIN (VALUES ('s4c_l4a'), ('s4c_l4b'), ('s4c_l4c')) AS c (processor);

-- The declarations in force as users know them, with the crop codes of their year.
CREATE VIEW s4c.declaration AS
SELECT site.short_name AS site, p.year, s.version, p.new_id AS "NewID", p.hold_id AS "HoldID", p.ori_id, p.ori_id_raw,
       p.ori_hold, p.ori_crop, p.geom_valid AS "GeomValid", p.geom_repaired, p.n_parts,
       p.area_meters AS "Area_meters", p.shape_ind AS "ShapeInd", p.overlap AS "Overlap", p.overlap_amount,
       p.duplic AS "Duplic", p.duplic_group, p.s2_pix AS "S2Pix", p.s1_pix AS "S1Pix", p.shared_pix, p.primary_tile,
       p.is_deleted, p.inserted_at AS inserted_timestamp, p.updated_at AS updated_timestamp, p.geom_change_ratio,
       l.ctnum AS "CTnum", l.ct AS "CT", l.lc AS "LC", l.ctnuml4a AS "CTnumL4A", l.ctl4a AS "CTL4A",
       l.ctnumdiv AS "CTnumDIV", l.ctdiv AS "CTDIV", l.eaa AS "EAA", l.al AS "AL", l.pgrass AS "PGrass",
       l.tgrass AS "TGrass", l.fallow AS "Fallow", l.cwater AS "Cwater", p.geom AS wkb_geometry
FROM s4c.parcel_set s
JOIN s4c.site site ON site.id = s.site_id
JOIN s4c.parcel p ON p.site_id = s.site_id AND p.year = s.year AND p.parcel_set_id = s.id
LEFT JOIN s4c.crop_lut l ON l.site_id = s.site_id AND l.year = s.year AND l.state = 'active'
                        AND l.ori_crop = p.ori_crop
WHERE s.state = 'active';
