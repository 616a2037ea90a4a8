-- Jobs (what a user sees of a run), products with their provenance, and waivers.
-- depends: 0002_acquisitions

CREATE TYPE s4c.job_state AS ENUM (
    'submitted', 'waiting_inputs', 'queued', 'running', 'succeeded', 'failed', 'cancelled', 'skipped'
);
CREATE TYPE s4c.start_type AS ENUM ('scheduled', 'backfill', 'manual', 'command_line');

CREATE TABLE s4c.job (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id           bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    season_id         bigint NOT NULL REFERENCES s4c.season ON DELETE CASCADE,
    processor_id      smallint NOT NULL REFERENCES s4c.processor,
    job_key           text NOT NULL,
    start_type        s4c.start_type NOT NULL,
    interval_start    date NOT NULL,
    as_of             date NOT NULL,
    params            jsonb NOT NULL DEFAULT '{}',
    config_snapshot   jsonb NOT NULL,
    config_hash       text NOT NULL,
    input_fingerprint text,
    inputs_complete   boolean,
    state             s4c.job_state NOT NULL DEFAULT 'submitted',
    reason            text,
    detail            text,
    counts            jsonb NOT NULL DEFAULT '{}',
    readiness         jsonb,
    acknowledged_by   text,
    airflow_dag_id    text,
    airflow_run_id    text,
    requested_by      text NOT NULL,
    submitted_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at        timestamptz,
    ended_at          timestamptz,
    UNIQUE (processor_id, site_id, season_id, job_key),
    CONSTRAINT skipped_says_why CHECK (state <> 'skipped' OR reason IS NOT NULL)
);
-- The lock of a (season, processor): scheduled, backfill and manual runs alike.
CREATE UNIQUE INDEX job_one_running ON s4c.job (season_id, processor_id) WHERE state = 'running';
CREATE INDEX job_season_idx ON s4c.job (season_id, processor_id, as_of);

CREATE TABLE s4c.job_resource (
    job_id      bigint NOT NULL REFERENCES s4c.job ON DELETE CASCADE,
    task_id     text NOT NULL,
    map_index   integer NOT NULL DEFAULT -1,
    try_number  integer NOT NULL DEFAULT 1,
    host        text NOT NULL,
    wall_s      double precision NOT NULL,
    cpu_s       double precision NOT NULL,
    max_rss_mb  double precision NOT NULL,
    read_mb     double precision,
    write_mb    double precision,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, task_id, map_index, try_number)
);

CREATE TYPE s4c.product_state AS ENUM ('active', 'empty', 'notv', 'superseded');
CREATE TYPE s4c.product_quality AS ENUM ('ok', 'degraded');

CREATE TABLE s4c.product (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_type_id   smallint NOT NULL REFERENCES s4c.product_type,
    processor_id      smallint NOT NULL REFERENCES s4c.processor,
    satellite_id      smallint REFERENCES s4c.satellite,
    job_id            bigint REFERENCES s4c.job ON DELETE SET NULL,
    acquisition_id    bigint REFERENCES s4c.acquisition ON DELETE CASCADE,
    name              text NOT NULL CHECK (length(name) <= 512),
    version           integer NOT NULL DEFAULT 1,
    state             s4c.product_state NOT NULL DEFAULT 'active',
    quality           s4c.product_quality NOT NULL DEFAULT 'ok',
    full_path         text NOT NULL,
    quicklook         text,
    acquired_at       timestamptz NOT NULL,
    inserted_at       timestamptz NOT NULL DEFAULT now(),
    footprint         geometry(Geometry, 4326),
    tiles             text[] NOT NULL DEFAULT '{}',
    relative_orbit    smallint,
    direction         s4c.orbit_direction,
    inputs_complete   boolean NOT NULL DEFAULT true,
    input_fingerprint text,
    software_version  text NOT NULL,
    config_hash       text NOT NULL,
    metadata          jsonb NOT NULL DEFAULT '{}',
    archived_at       timestamptz,
    UNIQUE (product_type_id, processor_id, name, version)
);
-- At most one version of a product is in force.
CREATE UNIQUE INDEX product_one_active ON s4c.product (product_type_id, processor_id, name)
    WHERE state <> 'superseded';
CREATE INDEX product_footprint_idx ON s4c.product USING gist (footprint);
CREATE INDEX product_acquired_idx ON s4c.product (product_type_id, acquired_at);
CREATE INDEX product_acquisition_idx ON s4c.product (acquisition_id);

ALTER TABLE s4c.acquisition_unit
    ADD CONSTRAINT acquisition_unit_product FOREIGN KEY (product_id) REFERENCES s4c.product ON DELETE SET NULL;

-- Sites share what was made of an acquisition.
CREATE TABLE s4c.product_site (
    product_id bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    site_id    bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    PRIMARY KEY (product_id, site_id)
);
CREATE INDEX product_site_site_idx ON s4c.product_site (site_id);

CREATE TABLE s4c.product_input (
    product_id       bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    input_product_id bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    PRIMARY KEY (product_id, input_product_id),
    CHECK (product_id <> input_product_id)
);
CREATE INDEX product_input_input_idx ON s4c.product_input (input_product_id);

CREATE TABLE s4c.product_file (
    product_id bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    path       text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256     text NOT NULL,
    PRIMARY KEY (product_id, path)
);

-- An operator accepts that a run goes without this acquisition or product.
CREATE TABLE s4c.waiver (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    season_id      bigint NOT NULL REFERENCES s4c.season ON DELETE CASCADE,
    processor_id   smallint NOT NULL REFERENCES s4c.processor,
    acquisition_id bigint REFERENCES s4c.acquisition ON DELETE CASCADE,
    product_id     bigint REFERENCES s4c.product ON DELETE CASCADE,
    reason         text NOT NULL,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT waiver_key UNIQUE NULLS NOT DISTINCT (season_id, processor_id, acquisition_id, product_id),
    CHECK (num_nonnulls(acquisition_id, product_id) = 1)
);
