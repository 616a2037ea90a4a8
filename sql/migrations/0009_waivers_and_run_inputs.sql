-- Waivers that were withdrawn stay known, and a job records which versions it reads.
-- depends: 0008_derived_products

ALTER TABLE s4c.waiver
    DROP CONSTRAINT waiver_key,
    ADD COLUMN withdrawn_by text,
    ADD COLUMN withdrawn_at timestamptz,
    ADD CONSTRAINT waiver_withdrawn CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL));
CREATE UNIQUE INDEX waiver_one_in_force ON s4c.waiver (season_id, processor_id, acquisition_id, product_id)
    NULLS NOT DISTINCT WHERE withdrawn_at IS NULL;

-- Version of the parcels, uploads and configuration hashes of a run, fixed when it opens: what is imported or set while
-- it works does not change what it reads.
ALTER TABLE s4c.job ADD COLUMN inputs jsonb;
