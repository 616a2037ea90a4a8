-- What was looked for, what was found, and the life of each acquisition.
-- depends: 0001_sites_and_seasons

CREATE TYPE s4c.window_state AS ENUM ('pending', 'querying', 'succeeded', 'failed');

CREATE TABLE s4c.query_window (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    season_id       bigint NOT NULL REFERENCES s4c.season ON DELETE CASCADE,
    satellite_id    smallint NOT NULL REFERENCES s4c.satellite,
    date_from       date NOT NULL,
    date_to         date NOT NULL CHECK (date_to >= date_from),
    state           s4c.window_state NOT NULL DEFAULT 'pending',
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_started    timestamptz,
    last_success    timestamptz,
    result_count    integer,
    -- things found in the window's place that are no acquisition: [{path, reason, text}], at most 200
    rejected        jsonb NOT NULL DEFAULT '[]',
    error           text,
    -- a window of an earlier span of the season: kept as history, no longer queried
    in_span         boolean NOT NULL DEFAULT true,
    UNIQUE (season_id, satellite_id, date_from)
);

CREATE TYPE s4c.acquisition_state AS ENUM (
    'discovered', 'queued', 'staging', 'downloading', 'downloaded', 'processing', 'processed',
    'failed', 'aborted', 'ignored', 'processing_failed'
);
CREATE TYPE s4c.storage_state AS ENUM ('online', 'offline', 'staging', 'unknown');
CREATE TYPE s4c.orbit_direction AS ENUM ('ascending', 'descending');

-- One row a source product for the whole system, however many sites use it.
CREATE TABLE s4c.acquisition (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    satellite_id        smallint NOT NULL REFERENCES s4c.satellite,
    source_product_name text NOT NULL,
    kind                text NOT NULL,
    platform            text NOT NULL,
    sensing_start       timestamptz NOT NULL,
    sensing_stop        timestamptz,
    previous_time       timestamptz,
    tiles               text[] NOT NULL DEFAULT '{}',
    relative_orbit      smallint,
    direction           s4c.orbit_direction,
    polarisation        text,
    baseline            integer,
    cloud_pct           real,
    footprint           geometry(Geometry, 4326) NOT NULL,
    providers           jsonb NOT NULL DEFAULT '{}',
    data_source_id      bigint REFERENCES s4c.data_source ON DELETE SET NULL,
    size_bytes          bigint,
    checksum            text,
    storage_state       s4c.storage_state NOT NULL DEFAULT 'unknown',
    full_path           text,
    fetch_mode          s4c.fetch_mode,
    state               s4c.acquisition_state NOT NULL DEFAULT 'discovered',
    reason_code         text,
    attempts            integer NOT NULL DEFAULT 0,
    next_attempt_at     timestamptz,
    last_error          text,
    lease_owner         text,
    lease_until         timestamptz,
    published_at        timestamptz,
    discovered_at       timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (satellite_id, source_product_name),
    CONSTRAINT lease_pair CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
CREATE INDEX acquisition_footprint_idx ON s4c.acquisition USING gist (footprint);
CREATE INDEX acquisition_sensing_idx ON s4c.acquisition (satellite_id, sensing_start);
CREATE INDEX acquisition_open_idx ON s4c.acquisition (state, sensing_start)
    WHERE state IN ('discovered', 'queued', 'staging', 'downloading', 'failed', 'downloaded', 'processing');

CREATE TYPE s4c.relevance AS ENUM ('selected', 'ignored');

CREATE TABLE s4c.site_acquisition (
    site_id        bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    acquisition_id bigint NOT NULL REFERENCES s4c.acquisition ON DELETE CASCADE,
    tiles          text[] NOT NULL DEFAULT '{}',
    overlap_ratio  real,
    relevance      s4c.relevance NOT NULL,
    reason         text,
    PRIMARY KEY (site_id, acquisition_id),
    CONSTRAINT ignored_says_why CHECK (relevance = 'selected' OR reason IS NOT NULL)
);
CREATE INDEX site_acquisition_acquisition_idx ON s4c.site_acquisition (acquisition_id);

CREATE TYPE s4c.unit_state AS ENUM ('pending', 'processing', 'done', 'failed', 'ignored');

-- One pre-processing unit of an acquisition: a tile, 'single', or 'pair:<previous acquisition id>'.
CREATE TABLE s4c.acquisition_unit (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    acquisition_id   bigint NOT NULL REFERENCES s4c.acquisition ON DELETE CASCADE,
    unit_key         text NOT NULL,
    processor_id     smallint NOT NULL REFERENCES s4c.processor,
    config_hash      text NOT NULL,
    state            s4c.unit_state NOT NULL DEFAULT 'pending',
    attempts         integer NOT NULL DEFAULT 0,
    max_attempts     integer NOT NULL DEFAULT 3 CHECK (max_attempts >= 1),
    retryable        boolean NOT NULL DEFAULT true,
    reason_code      text,
    failed_reason    text,
    cloud_pct        real,
    snow_pct         real,
    product_id       bigint,
    lease_owner      text,
    lease_until      timestamptz,
    next_attempt_at  timestamptz,
    executor         text,
    executor_version text,
    log_path         text,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (acquisition_id, unit_key, processor_id, config_hash),
    CONSTRAINT unit_lease CHECK ((state = 'processing') = (lease_owner IS NOT NULL)
                                 AND (lease_owner IS NULL) = (lease_until IS NULL))
);
CREATE INDEX acquisition_unit_open_idx ON s4c.acquisition_unit (processor_id, state)
    WHERE state IN ('pending', 'processing', 'failed');

-- Append-only history of every acquisition.
CREATE TABLE s4c.acquisition_event (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    acquisition_id bigint NOT NULL REFERENCES s4c.acquisition ON DELETE CASCADE,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    from_state     s4c.acquisition_state,
    to_state       s4c.acquisition_state NOT NULL,
    actor          text NOT NULL,
    reason         text
);
CREATE INDEX acquisition_event_acquisition_idx ON s4c.acquisition_event (acquisition_id, id);

CREATE TABLE s4c.s1_pair (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    current_id       bigint NOT NULL REFERENCES s4c.acquisition ON DELETE CASCADE,
    previous_id      bigint NOT NULL REFERENCES s4c.acquisition ON DELETE CASCADE,
    relative_orbit   smallint NOT NULL,
    intersection_pct real NOT NULL CHECK (intersection_pct BETWEEN 0 AND 100),
    baseline_days    integer NOT NULL CHECK (baseline_days > 0),
    original_epsg    integer,
    original_extent  double precision[],
    extent           geometry(Polygon, 4326),
    UNIQUE (current_id, previous_id),
    CHECK (current_id <> previous_id)
);
CREATE INDEX s1_pair_previous_idx ON s4c.s1_pair (previous_id);
