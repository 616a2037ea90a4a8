-- Values of parameters with their history, and the versions of what users upload.
-- depends: 0003_products_and_jobs

-- Scope: global (both null), site (site_id), season (season_id). Job values live with the job.
CREATE TABLE s4c.config_value (
    key        text NOT NULL,
    site_id    bigint REFERENCES s4c.site ON DELETE CASCADE,
    season_id  bigint REFERENCES s4c.season ON DELETE CASCADE,
    value      jsonb NOT NULL,
    version    integer NOT NULL DEFAULT 1,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT config_value_key UNIQUE NULLS NOT DISTINCT (key, site_id, season_id),
    CHECK (num_nonnulls(site_id, season_id) <= 1)
);

-- History outlives the value, not the site.
CREATE TABLE s4c.config_change (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key        text NOT NULL,
    site_id    bigint REFERENCES s4c.site ON DELETE CASCADE,
    season_id  bigint REFERENCES s4c.season ON DELETE CASCADE,
    old_value  jsonb,
    new_value  jsonb,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX config_change_key_idx ON s4c.config_change (key, id);

CREATE TYPE s4c.auxdata_kind AS ENUM (
    'declarations', 'lut', 'l4b_config', 'l4c_config',
    'practices_cc', 'practices_fl', 'practices_nfc', 'practices_na'
);
CREATE TYPE s4c.auxdata_state AS ENUM ('uploaded', 'validating', 'active', 'rejected', 'superseded');

-- An immutable upload; at most one is active for a site, kind and year.
CREATE TABLE s4c.auxdata_version (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id     bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    kind        s4c.auxdata_kind NOT NULL,
    year        integer NOT NULL,
    file_name   text NOT NULL,
    sha256      text NOT NULL,
    size_bytes  bigint NOT NULL,
    path        text,
    content     bytea,
    parameters  jsonb NOT NULL DEFAULT '{}',
    parsed      jsonb,
    report      jsonb,
    state       s4c.auxdata_state NOT NULL DEFAULT 'uploaded',
    uploaded_by text NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT auxdata_version_key UNIQUE (site_id, kind, year, sha256, parameters)
);
CREATE UNIQUE INDEX auxdata_one_active ON s4c.auxdata_version (site_id, kind, year) WHERE state = 'active';
