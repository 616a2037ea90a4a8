-- Mowing: a row for each parcel of an L4B product and one for each event; they go with their product.
-- depends: 0009_waivers_and_run_inputs

CREATE TABLE s4c.l4b_result (
    product_id  bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    new_id      integer NOT NULL,
    mow_n       integer NOT NULL,
    proc        boolean NOT NULL,
    compl       integer NOT NULL CHECK (compl BETWEEN -1 AND 3),
    max_gap_d   integer,
    n_clear     integer NOT NULL,
    n_pairs     integer NOT NULL,
    status      text NOT NULL,
    cannot_tell text,
    decision    text NOT NULL,
    PRIMARY KEY (product_id, new_id)
);

-- place: 1 to 4 by date among the four most confident of a parcel, which is all that Sen4CAP's own files hold.
CREATE TABLE s4c.l4b_event (
    product_id  bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    new_id      integer NOT NULL,
    seq         integer NOT NULL,
    place       integer CHECK (place BETWEEN 1 AND 4),
    reported    boolean NOT NULL,
    dstart      timestamptz NOT NULL,
    dend        timestamptz NOT NULL CHECK (dend > dstart),
    conf        double precision NOT NULL,
    mission     text NOT NULL,
    n           integer NOT NULL,
    s2_drop     double precision,
    s2_v0       double precision,
    s2_v1       double precision,
    s2_t0       timestamptz,
    s2_t1       timestamptz,
    s2_t2       timestamptz,
    s1_orbit    integer,
    s1_d        double precision,
    s1_t0       timestamptz,
    s1_t1       timestamptz,
    PRIMARY KEY (product_id, new_id, seq)
);

CREATE VIEW s4c.product_details_l4b AS
SELECT r.product_id, p.name AS product, r.new_id AS "NewID", r.mow_n,
       m1.dstart AS m1_dstart, m1.dend AS m1_dend, m1.conf AS m1_conf, m1.mission AS m1_mis,
       m2.dstart AS m2_dstart, m2.dend AS m2_dend, m2.conf AS m2_conf, m2.mission AS m2_mis,
       m3.dstart AS m3_dstart, m3.dend AS m3_dend, m3.conf AS m3_conf, m3.mission AS m3_mis,
       m4.dstart AS m4_dstart, m4.dend AS m4_dend, m4.conf AS m4_conf, m4.mission AS m4_mis,
       r.proc::integer AS proc, r.compl, r.max_gap_d, r.n_clear, r.n_pairs, r.status, r.cannot_tell, r.decision
FROM s4c.l4b_result r
JOIN s4c.product p ON p.id = r.product_id
LEFT JOIN s4c.l4b_event m1 ON m1.product_id = r.product_id AND m1.new_id = r.new_id AND m1.place = 1
LEFT JOIN s4c.l4b_event m2 ON m2.product_id = r.product_id AND m2.new_id = r.new_id AND m2.place = 2
LEFT JOIN s4c.l4b_event m3 ON m3.product_id = r.product_id AND m3.new_id = r.new_id AND m3.place = 3
LEFT JOIN s4c.l4b_event m4 ON m4.product_id = r.product_id AND m4.new_id = r.new_id AND m4.place = 4;
