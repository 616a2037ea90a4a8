-- Agricultural practices: a row for each parcel and practice of an L4C product; they go with their product.
-- depends: 0011_crop_type_results

-- Markers: 1 TRUE, 0 FALSE, -1 NA, -2 NA1, -3 NR, -4 other. Gaps are null where there is no result, h_w_s1gaps also
-- without harvest; tl_state where tillage was not looked for.
CREATE TABLE s4c.l4c_result (
    product_id         bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    new_id             integer NOT NULL,
    practice_id        integer NOT NULL CHECK (practice_id BETWEEN 1 AND 4),
    ori_id             text,
    country            text,
    year               integer NOT NULL,
    main_crop          text,
    veg_start          date,
    h_start            date,
    h_end              date,
    practice           text,
    p_type             text,
    p_start            date,
    p_end              date,
    l_week             date,
    m1                 integer NOT NULL CHECK (m1 BETWEEN -4 AND 1),
    m2                 integer NOT NULL CHECK (m2 BETWEEN -4 AND 1),
    m3                 integer NOT NULL CHECK (m3 BETWEEN -4 AND 1),
    m4                 integer NOT NULL CHECK (m4 BETWEEN -4 AND 1),
    m5                 integer NOT NULL CHECK (m5 BETWEEN -4 AND 1),
    h_state            text NOT NULL CHECK (h_state IN ('FOUND', 'NOT_FOUND', 'NA', 'NA1', 'NR')),
    h_w_start          date CHECK ((h_state = 'FOUND') = (h_w_start IS NOT NULL)),
    h_s1_state         text NOT NULL CHECK (h_s1_state IN ('FOUND', 'NOT_FOUND', 'NA', 'NA1', 'NR')),
    h_w_s1             date CHECK ((h_s1_state = 'FOUND') = (h_w_s1 IS NOT NULL)),
    m6                 integer NOT NULL CHECK (m6 BETWEEN -4 AND 1),
    m7                 integer NOT NULL CHECK (m7 BETWEEN -4 AND 1),
    m8                 integer NOT NULL CHECK (m8 BETWEEN -4 AND 1),
    m9                 integer NOT NULL CHECK (m9 BETWEEN -4 AND 1),
    m10                integer NOT NULL CHECK (m10 BETWEEN -4 AND 1),
    c_index            text NOT NULL CHECK (c_index IN ('STRONG', 'MODERATE', 'WEAK', 'POOR', 'NR', 'NA', 'NA1')),
    s1pix              integer,
    s1gaps             integer CHECK (s1gaps >= 0),
    h_s1gaps           integer CHECK (h_s1gaps >= 0),
    p_s1gaps           integer CHECK (p_s1gaps >= 0),
    h_w_s1gaps         integer CHECK (h_w_s1gaps >= 0),
    h_quality          boolean NOT NULL,
    c_quality          boolean NOT NULL,
    tl_state           text CHECK (tl_state IN ('FOUND', 'NOT_FOUND', 'NA', 'NA1', 'NR')),
    tl_w_start         date CHECK ((tl_state IS NOT DISTINCT FROM 'FOUND') = (tl_w_start IS NOT NULL)),
    status             text NOT NULL,
    rule               text NOT NULL,
    flags              text NOT NULL,
    c_preliminary      text NOT NULL,
    h_delay            integer,
    n_ndvi_v           integer NOT NULL,
    n_ndvi_p           integer NOT NULL,
    n_coh_p            integer NOT NULL,
    orbits             text NOT NULL,
    h_source           text NOT NULL CHECK (h_source IN ('current', 'previous')),
    h_current          date,
    config_id          bigint,
    practice_table_id  bigint,
    PRIMARY KEY (product_id, new_id, practice_id)
);

CREATE FUNCTION s4c.l4c_marker(code integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE code WHEN 1 THEN 'TRUE' WHEN 0 THEN 'FALSE' WHEN -1 THEN 'NA' WHEN -2 THEN 'NA1' WHEN -3 THEN 'NR' END
$$;

CREATE FUNCTION s4c.l4c_week(state text, found text, not_found text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE state WHEN 'FOUND' THEN found WHEN 'NOT_FOUND' THEN not_found ELSE state END
$$;

-- What Sen4CAP's table of this name holds, in its words.
CREATE VIEW s4c.product_details_l4c AS
SELECT r.product_id, p.name AS product, r.new_id AS "NewID", r.practice_id, r.ori_id AS orig_id, r.country, r.year,
       coalesce(r.main_crop, 'NA') AS main_crop, coalesce(r.veg_start::text, 'NA') AS veg_start,
       coalesce(r.h_start::text, 'NA') AS h_start, coalesce(r.h_end::text, 'NA') AS h_end,
       coalesce(r.practice, 'NA') AS practice, coalesce(r.p_type, 'NA') AS p_type,
       coalesce(r.p_start::text, 'NA') AS p_start, coalesce(r.p_end::text, 'NA') AS p_end,
       coalesce(r.l_week::text, n.nothing) AS l_week,
       s4c.l4c_marker(r.m1) AS m1, s4c.l4c_marker(r.m2) AS m2, s4c.l4c_marker(r.m3) AS m3,
       s4c.l4c_marker(r.m4) AS m4, s4c.l4c_marker(r.m5) AS m5,
       s4c.l4c_week(r.h_state, extract(week FROM r.h_w_start)::text, 'NO-HARVEST') AS h_week,
       s4c.l4c_week(r.h_state, r.h_w_start::text, 'NO-HARVEST') AS h_w_start,
       s4c.l4c_week(r.h_state, (r.h_w_start + 6)::text, 'NO-HARVEST') AS h_w_end,
       s4c.l4c_week(r.h_s1_state, r.h_w_s1::text, 'NO-HARVEST') AS h_w_s1,
       s4c.l4c_marker(r.m6) AS m6, s4c.l4c_marker(r.m7) AS m7, s4c.l4c_marker(r.m8) AS m8,
       s4c.l4c_marker(r.m9) AS m9, s4c.l4c_marker(r.m10) AS m10, r.c_index,
       coalesce(r.s1pix::text, 'NA') AS s1pix, coalesce(r.s1gaps::text, n.nothing) AS s1gaps,
       coalesce(r.h_s1gaps::text, n.nothing) AS h_s1gaps, coalesce(r.p_s1gaps::text, n.nothing) AS p_s1gaps,
       coalesce(r.h_w_s1gaps::text, CASE WHEN r.status = 'OK' THEN 'NR' ELSE n.nothing END) AS h_w_s1gaps,
       CASE WHEN r.h_quality THEN '1' ELSE '' END AS h_quality, CASE WHEN r.c_quality THEN '1' ELSE '' END AS c_quality,
       s4c.l4c_week(r.tl_state, extract(week FROM r.tl_w_start)::text, 'NO-TILLAGE') AS tl_week,
       s4c.l4c_week(r.tl_state, r.tl_w_start::text, 'NO-TILLAGE') AS tl_w_start,
       s4c.l4c_week(r.tl_state, (r.tl_w_start + 6)::text, 'NO-TILLAGE') AS tl_w_end,
       r.status, r.rule, r.flags
FROM s4c.l4c_result r
JOIN s4c.product p ON p.id = r.product_id
CROSS JOIN LATERAL (SELECT CASE WHEN r.m1 = -2 THEN 'NA1' ELSE 'NA' END AS nothing) AS n;
