-- What is made of products: L3B and statistics as claimable work, and the files of the statistics store.
-- depends: 0007_parcels

-- Work on a product in force: its L3B (one a tile), or the statistics of its parcels (one a version of them).
CREATE TABLE s4c.derivation (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id           bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    processor_id      smallint NOT NULL REFERENCES s4c.processor,
    product_id        bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    tile              text NOT NULL,
    parcel_set_id     bigint REFERENCES s4c.parcel_set ON DELETE CASCADE,
    config_hash       text NOT NULL,
    state             s4c.unit_state NOT NULL DEFAULT 'pending',
    attempts          integer NOT NULL DEFAULT 0,
    max_attempts      integer NOT NULL DEFAULT 3 CHECK (max_attempts >= 1),
    retryable         boolean NOT NULL DEFAULT true,
    reason_code       text,
    failed_reason     text,
    output_product_id bigint REFERENCES s4c.product ON DELETE SET NULL,
    lease_owner       text,
    lease_until       timestamptz,
    next_attempt_at   timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT derivation_key
        UNIQUE NULLS NOT DISTINCT (site_id, processor_id, product_id, tile, parcel_set_id, config_hash),
    CONSTRAINT derivation_lease CHECK ((state = 'processing') = (lease_owner IS NOT NULL)
                                       AND (lease_owner IS NULL) = (lease_until IS NULL))
);
CREATE INDEX derivation_open_idx ON s4c.derivation (site_id, processor_id, state)
    WHERE state IN ('pending', 'processing', 'failed');
CREATE INDEX derivation_product_idx ON s4c.derivation (product_id);
CREATE INDEX derivation_parcel_set_idx ON s4c.derivation (parcel_set_id);
CREATE INDEX derivation_output_idx ON s4c.derivation (output_product_id);

CREATE TYPE s4c.marker_state AS ENUM ('active', 'superseded');

-- A file of the statistics store: one variable of one product for one version of the parcels. The file list comes from
-- here, never from the names of folders.
CREATE TABLE s4c.marker_file (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id       bigint NOT NULL REFERENCES s4c.site ON DELETE CASCADE,
    parcel_set_id bigint NOT NULL REFERENCES s4c.parcel_set ON DELETE CASCADE,
    product_id    bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    family        text NOT NULL CHECK (family IN ('l3b', 'l2a', 's1amp', 's1coh')),
    variable      text NOT NULL,
    tile          text NOT NULL,
    time          timestamptz NOT NULL,
    previous_time timestamptz,
    platform      text NOT NULL,
    orbit         smallint,
    direction     s4c.orbit_direction,
    path          text NOT NULL,
    n_rows        integer NOT NULL CHECK (n_rows >= 0),
    sha256        text NOT NULL,
    config_hash   text NOT NULL,
    state         s4c.marker_state NOT NULL DEFAULT 'active',
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    superseded_at timestamptz,
    CHECK ((state = 'superseded') = (superseded_at IS NOT NULL))
);
CREATE UNIQUE INDEX marker_file_one_active ON s4c.marker_file (parcel_set_id, product_id, variable)
    WHERE state = 'active';
CREATE INDEX marker_file_read_idx ON s4c.marker_file (parcel_set_id, variable, time) WHERE state = 'active';
CREATE INDEX marker_file_product_idx ON s4c.marker_file (product_id);
CREATE INDEX marker_file_site_idx ON s4c.marker_file (site_id);

-- Statistics of a product that is no longer in force are not either.
CREATE FUNCTION s4c.supersede_markers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE s4c.marker_file SET state = 'superseded', superseded_at = clock_timestamp()
    WHERE product_id = NEW.id AND state = 'active';
    RETURN NULL;
END;
$$;
CREATE TRIGGER product_superseded AFTER UPDATE OF state ON s4c.product
    FOR EACH ROW WHEN (NEW.state <> 'active' AND OLD.state = 'active') EXECUTE FUNCTION s4c.supersede_markers();
