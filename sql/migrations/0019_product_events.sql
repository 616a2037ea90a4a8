-- What became of products by hand or by a check of their files: left out, taken back, put back to be made.
-- depends: 0018_change_records

-- The state of a product before its acquisition was left out; it has it again when the acquisition is taken back.
ALTER TABLE s4c.product
    ADD COLUMN withdrawn_state s4c.product_state,
    ADD CONSTRAINT product_withdrawn_is_superseded CHECK (withdrawn_state IS NULL OR state = 'superseded');

-- It outlives what it is about, so there are names and no references.
CREATE TABLE s4c.product_event (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor          text NOT NULL,
    action         text NOT NULL CHECK (action IN ('withdrawn', 'taken_back', 'made_again')),
    product_id     bigint NOT NULL,
    acquisition_id bigint,
    product_type   text NOT NULL,
    name           text NOT NULL,
    reason         text NOT NULL
);
CREATE INDEX product_event_product_idx ON s4c.product_event (product_id, id);
CREATE INDEX product_event_acquisition_idx ON s4c.product_event (acquisition_id, id);
