-- Crop types: a row for each parcel of an L4A product, and of crop diversification one for each parcel and holding.
-- depends: 0010_mowing_results

CREATE TABLE s4c.l4a_result (
    product_id    bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    new_id        integer NOT NULL,
    ct_decl       integer,
    ct_pred_1     integer,
    ct_conf_1     double precision CHECK (ct_conf_1 BETWEEN 0 AND 1),
    ct_pred_2     integer,
    ct_conf_2     double precision CHECK (ct_conf_2 BETWEEN 0 AND 1),
    ct_status     text NOT NULL,
    ct_purpose    integer NOT NULL CHECK (ct_purpose BETWEEN 0 AND 2),
    conform       integer CHECK (conform BETWEEN 0 AND 1),
    feat_imputed  boolean NOT NULL,
    verdict       text NOT NULL CHECK (verdict IN ('confirmed', 'contradicted', 'cannot tell')),
    reason        text NOT NULL,
    chance_wrong  double precision,
    ct_other      integer,
    review_rank   integer,
    PRIMARY KEY (product_id, new_id)
);

CREATE TABLE s4c.l4a_div_holding (
    product_id        bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    hold_id           integer NOT NULL,
    nb_types_c        integer NOT NULL,
    area_eaa_c        double precision NOT NULL,
    area_tal_c        double precision NOT NULL,
    area_tempgrass_c  double precision NOT NULL,
    area_permgrass_c  double precision NOT NULL,
    area_llf_c        double precision NOT NULL,
    area_cwater_c     double precision NOT NULL,
    area_remal_ex2_c  double precision NOT NULL,
    area_remal_ex3_c  double precision NOT NULL,
    area_maincrop_c   double precision NOT NULL,
    area_2maincrop_c  double precision NOT NULL,
    nb_parcels_nc     integer NOT NULL,
    area_nc           double precision NOT NULL,
    cd_cat            text NOT NULL,
    cd_diagn          text NOT NULL,
    reason            text NOT NULL,
    PRIMARY KEY (product_id, hold_id)
);

-- Category and diagnosis of a parcel are those of its holding; a parcel without one has none.
CREATE TABLE s4c.l4a_div_parcel (
    product_id   bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    new_id       integer NOT NULL,
    hold_id      integer,
    classif_r    text NOT NULL,
    cd_cat       text,
    cd_diagn     text,
    area_meters  double precision NOT NULL,
    reason       text NOT NULL,
    PRIMARY KEY (product_id, new_id)
);

CREATE VIEW s4c.product_details_l4a AS
SELECT r.product_id, p.name AS product, r.new_id AS "NewID", r.ct_decl AS "CT_decl", r.ct_pred_1 AS "CT_pred_1",
       r.ct_conf_1 AS "CT_conf_1", r.ct_pred_2 AS "CT_pred_2", r.ct_conf_2 AS "CT_conf_2", r.ct_status, r.ct_purpose,
       r.conform, r.verdict, r.reason, r.chance_wrong, r.ct_other AS "CT_other", r.review_rank
FROM s4c.l4a_result r
JOIN s4c.product p ON p.id = r.product_id;
