-- What retention archived or removed, and sites and seasons that are being deleted.
-- depends: 0016_notices

-- The row stays: it says that this was there, and keeps it from being fetched or made again.
ALTER TABLE s4c.acquisition
    ADD COLUMN archived_at     timestamptz,
    ADD COLUMN removed_at      timestamptz,
    ADD COLUMN removed_because text,
    ADD CONSTRAINT acquisition_removed_says_why CHECK ((removed_at IS NULL) = (removed_because IS NULL));
ALTER TABLE s4c.product
    ADD COLUMN removed_at      timestamptz,
    ADD COLUMN removed_because text,
    ADD CONSTRAINT product_removed_says_why CHECK ((removed_at IS NULL) = (removed_because IS NULL));

-- Since when a site or season is being deleted: nothing new starts, and an interrupted deletion is taken up again.
ALTER TABLE s4c.site
    ADD COLUMN deleting_since timestamptz,
    ADD COLUMN deleting_by    text,
    -- kinds of files that stay where they are
    ADD COLUMN deleting_keeps text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT site_deleting_is_disabled CHECK (deleting_since IS NULL OR NOT enabled),
    ADD CONSTRAINT site_deleting_says_who CHECK ((deleting_since IS NULL) = (deleting_by IS NULL));
ALTER TABLE s4c.season
    ADD COLUMN deleting_since timestamptz,
    ADD COLUMN deleting_by    text,
    ADD CONSTRAINT season_deleting_is_disabled CHECK (deleting_since IS NULL OR NOT enabled),
    ADD CONSTRAINT season_deleting_says_who CHECK ((deleting_since IS NULL) = (deleting_by IS NULL));

-- Paths that nothing refers to any more and that are still to be removed. Written in the transaction that lets go of
-- them (or, of a copy for the archive, before it is begun), forgotten when they are gone.
CREATE TABLE s4c.file_removal (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path     text NOT NULL UNIQUE,
    why      text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What retention did; it outlives products, acquisitions and sites.
CREATE TABLE s4c.retention_event (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor          text NOT NULL,
    action         text NOT NULL CHECK (action IN ('archived', 'removed')),
    kind           text NOT NULL,
    name           text NOT NULL,
    sites          text[] NOT NULL,
    acquisition_id bigint,
    product_id     bigint,
    path           text NOT NULL,
    target         text,
    size_bytes     bigint NOT NULL,
    rule           text NOT NULL,
    CHECK ((action = 'archived') = (target IS NOT NULL))
);

CREATE TABLE s4c.season_deletion (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site       text NOT NULL,
    short_name text NOT NULL,
    name       text NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_by text NOT NULL,
    removed    jsonb NOT NULL
);
