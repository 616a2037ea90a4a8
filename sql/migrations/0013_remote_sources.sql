-- Remote catalogues: what drivers there are, how a source stands now, what was taken from it, who may use it.
-- depends: 0012_practice_results

ALTER TABLE s4c.data_source
    ADD CONSTRAINT data_source_driver CHECK (driver IN ('local', 'eodag', 'asf', 'dhus', 'usgs')),
    ADD CONSTRAINT archive_has_a_root CHECK ((driver = 'local') = (local_root IS NOT NULL)),
    ADD CONSTRAINT quota_is_an_object CHECK (jsonb_typeof(quota) = 'object'),
    ADD CONSTRAINT params_are_an_object CHECK (jsonb_typeof(params) = 'object');

-- One row a source name: its rows in data_source, one a satellite and perhaps a site, share account and limits.
CREATE TABLE s4c.source_state (
    name            text PRIMARY KEY,
    -- the circuit: nothing is asked of the source before open_until; opened_at is null once it has answered again
    opened_at       timestamptz,
    open_until      timestamptz,
    reason          text,
    error           text,
    -- how often in a row it asked to wait without saying how long
    pauses          integer NOT NULL DEFAULT 0 CHECK (pauses >= 0),
    next_request_at timestamptz,
    last_poll_at    timestamptz,
    CONSTRAINT open_says_why CHECK ((opened_at IS NULL) = (open_until IS NULL) AND (opened_at IS NULL) = (reason IS NULL))
);

-- One entry when a source begins to refuse and one when it answers again: what operators are told.
CREATE TABLE s4c.source_event (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text NOT NULL,
    at     timestamptz NOT NULL,
    opened boolean NOT NULL,
    reason text NOT NULL,
    error  text NOT NULL
);
CREATE INDEX source_event_name_idx ON s4c.source_event (name, id);

CREATE TABLE s4c.source_usage (
    name           text NOT NULL,
    day            date NOT NULL,
    requests       bigint NOT NULL DEFAULT 0 CHECK (requests >= 0),
    bytes_received bigint NOT NULL DEFAULT 0 CHECK (bytes_received >= 0),
    transfers      bigint NOT NULL DEFAULT 0 CHECK (transfers >= 0),
    PRIMARY KEY (name, day)
);

-- Logins in use, each on a lease: providers limit how many there are.
CREATE TABLE s4c.source_session (
    name  text NOT NULL,
    owner text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (name, owner)
);

ALTER TABLE s4c.acquisition
    -- where the next tries go when not to the source that listed it
    ADD COLUMN fallback_source_id bigint REFERENCES s4c.data_source ON DELETE SET NULL,
    -- the one try elsewhere after all tries is used
    ADD COLUMN fallback_tried     boolean NOT NULL DEFAULT false,
    -- sources that no longer have it, and how often all were asked in vain
    ADD COLUMN gone_from          bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN gone_rounds        integer NOT NULL DEFAULT 0,
    -- in state staging: since when, and when the source took the order
    ADD COLUMN staging_since      timestamptz,
    ADD COLUMN ordered_at         timestamptz;

-- Transfers and orders in progress of a source, over all sites.
CREATE INDEX acquisition_at_source_idx ON s4c.acquisition (data_source_id) WHERE state IN ('downloading', 'staging');
