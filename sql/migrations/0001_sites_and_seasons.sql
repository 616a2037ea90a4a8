-- Sites, seasons, what runs in them, and where acquisitions come from.
-- Everything that belongs to a site goes when the site goes; numbers of processors, product types and
-- satellites are Sen4CAP's own.

CREATE EXTENSION IF NOT EXISTS postgis;

CREATE SCHEMA IF NOT EXISTS s4c;

CREATE TABLE s4c.satellite (
    id         smallint PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    short_name text NOT NULL UNIQUE
);

INSERT INTO s4c.satellite (id, name, short_name) VALUES
    (1, 'sentinel2', 's2'),
    (2, 'landsat8', 'l8'),
    (3, 'sentinel1', 's1'),
    (4, 'landsat9', 'l9');

CREATE TABLE s4c.processor (
    id         smallint PRIMARY KEY,
    short_name text NOT NULL UNIQUE,
    label      text NOT NULL
);

INSERT INTO s4c.processor (id, short_name, label) VALUES
    (1, 'l2a', 'Optical L2A'),
    (3, 'l3b', 'Vegetation status (NDVI, LAI, FAPAR, FCOVER)'),
    (7, 'l2s1', 'Sentinel-1 backscatter and coherence'),
    (8, 'lpis', 'Declarations'),
    (9, 's4c_l4a', 'Crop type'),
    (10, 's4c_l4b', 'Grassland mowing'),
    (11, 's4c_l4c', 'Agricultural practices'),
    (14, 's4c_mdb1', 'Parcel statistics'),
    (15, 'l2a_msk', 'Validity mask'),
    (100, 'ingest', 'Find, fetch and prepare acquisitions');

CREATE TABLE s4c.product_type (
    id        smallint PRIMARY KEY,
    name      text NOT NULL UNIQUE,
    is_raster boolean NOT NULL
);

INSERT INTO s4c.product_type (id, name, is_raster) VALUES
    (1, 'l2a', true), (3, 'l3b', true), (7, 'l1c', true),
    (10, 's1_l2a_amp', true), (11, 's1_l2a_cohe', true),
    (12, 's4c_l4a', false), (13, 's4c_l4b', false), (14, 'lpis', false), (15, 's4c_l4c', false),
    (17, 's4c_mdb1', false), (18, 's4c_mdb2', false), (19, 's4c_mdb3', false),
    (20, 's4c_mdb_l4a_opt_main', false), (21, 's4c_mdb_l4a_opt_re', false),
    (22, 's4c_mdb_l4a_sar_main', false), (23, 's4c_mdb_l4a_sar_temp', false),
    (25, 'fmask', true), (26, 'l2a_msk', true);

CREATE TABLE s4c.site (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    short_name  text NOT NULL UNIQUE CHECK (short_name ~ '^[a-z][a-z0-9_]{0,39}$'),
    geom        geometry(MultiPolygon, 4326) NOT NULL CHECK (ST_IsValid(geom)),
    geom_search geometry(MultiPolygon, 4326) NOT NULL,
    area_km2    double precision NOT NULL,
    enabled     boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL
);
CREATE UNIQUE INDEX site_name_key ON s4c.site (lower(name));
CREATE INDEX site_geom_idx ON s4c.site USING gist (geom);

-- What is left of a deleted site: the name is free again, the fact stays known.
CREATE TABLE s4c.site_deletion (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    short_name text NOT NULL,
    name       text NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    deleted_by text NOT NULL,
    removed    jsonb NOT NULL
);

CREATE TABLE s4c.site_tile (
    site_id      bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    satellite_id smallint NOT NULL REFERENCES s4c.satellite,
    tile         text NOT NULL,
    epsg         integer,
    ulx          integer,
    uly          integer,
    overlap_km2  double precision NOT NULL,
    selected     boolean NOT NULL,
    redundant    boolean NOT NULL DEFAULT false,
    footprint    geometry(Polygon, 4326) NOT NULL,
    PRIMARY KEY (site_id, satellite_id, tile)
);
CREATE INDEX site_tile_footprint_idx ON s4c.site_tile USING gist (footprint);

CREATE TYPE s4c.catchup_policy AS ENUM ('latest_only', 'final_only', 'replay_all');

CREATE TABLE s4c.season (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id        bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    short_name     text NOT NULL CHECK (short_name ~ '^[a-z0-9][a-z0-9_]{0,39}$'),
    start_date     date NOT NULL,
    mid_date       date NOT NULL,
    end_date       date NOT NULL,
    year           integer NOT NULL,
    enabled        boolean NOT NULL DEFAULT false,
    -- null: the default of the season's phase (latest_only when current, final_only when past)
    catchup_policy s4c.catchup_policy,
    created_at     timestamptz NOT NULL DEFAULT now(),
    created_by     text NOT NULL,
    CONSTRAINT season_dates CHECK (start_date < end_date AND mid_date BETWEEN start_date AND end_date),
    UNIQUE (site_id, name),
    UNIQUE (site_id, short_name)
);

CREATE TYPE s4c.schedule_kind AS ENUM ('once', 'every_n_days', 'monthly');
CREATE TYPE s4c.schedule_anchor AS ENUM ('start', 'mid', 'custom');

-- A processor of a season, with the schedule of its runs. While the anchor is not 'custom' the first
-- run follows the season's dates (anchor date + anchor_days).
CREATE TABLE s4c.season_processor (
    season_id    bigint NOT NULL REFERENCES s4c.season ON DELETE CASCADE,
    processor_id smallint NOT NULL REFERENCES s4c.processor,
    enabled      boolean NOT NULL DEFAULT true,
    kind         s4c.schedule_kind NOT NULL,
    n_days       integer CHECK (n_days BETWEEN 1 AND 366),
    month_day    smallint CHECK (month_day BETWEEN 1 AND 31),
    anchor       s4c.schedule_anchor NOT NULL,
    anchor_days  integer NOT NULL DEFAULT 0,
    first_run    date NOT NULL,
    params       jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (season_id, processor_id),
    CONSTRAINT schedule_fields CHECK (
        (kind = 'once' AND n_days IS NULL AND month_day IS NULL)
        OR (kind = 'every_n_days' AND n_days IS NOT NULL AND month_day IS NULL)
        OR (kind = 'monthly' AND month_day IS NOT NULL AND n_days IS NULL)
    )
);

CREATE TYPE s4c.fetch_mode AS ENUM ('download', 'resume', 'copy', 'symlink', 'check');

-- Secrets are not here: secret_ref names an Airflow connection.
CREATE TABLE s4c.data_source (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                   text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    satellite_id           smallint NOT NULL REFERENCES s4c.satellite,
    site_id                bigint REFERENCES s4c.site ON DELETE CASCADE,
    driver                 text NOT NULL,
    priority               integer NOT NULL DEFAULT 1,
    enabled                boolean NOT NULL DEFAULT true,
    can_query              boolean NOT NULL DEFAULT true,
    can_download           boolean NOT NULL DEFAULT true,
    fetch_mode             s4c.fetch_mode NOT NULL,
    local_root             text,
    path_template          text,
    max_connections        integer NOT NULL DEFAULT 1 CHECK (max_connections BETWEEN 1 AND 64),
    max_retries            integer CHECK (max_retries >= 0),
    retry_interval_minutes integer CHECK (retry_interval_minutes >= 0),
    secret_ref             text,
    quota                  jsonb NOT NULL DEFAULT '{}',
    params                 jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT data_source_key UNIQUE NULLS NOT DISTINCT (satellite_id, name, site_id),
    CONSTRAINT local_root_for_local CHECK ((fetch_mode IN ('copy', 'symlink', 'check')) = (local_root IS NOT NULL))
);
