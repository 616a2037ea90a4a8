-- Backscatter and coherence made here: what a raster is of, which acquisitions are in it, details of pairs, a report.
-- depends: 0014_query_window_kinds

-- Of a raster made here; a ready-made product has that of its acquisition.
ALTER TABLE s4c.product ADD COLUMN polarisation text;

-- What a product is made of where that is more than one acquisition: slices of a datatake, both of a pair.
CREATE TABLE s4c.product_acquisition (
    product_id     bigint NOT NULL REFERENCES s4c.product ON DELETE CASCADE,
    acquisition_id bigint NOT NULL REFERENCES s4c.acquisition ON DELETE CASCADE,
    PRIMARY KEY (product_id, acquisition_id)
);
CREATE INDEX product_acquisition_acquisition_idx ON s4c.product_acquisition (acquisition_id);

-- The checksums its manifest states of its measurements: equal ones are the same slice under another name.
ALTER TABLE s4c.acquisition ADD COLUMN measurement_checksum text;

-- The tiles a radar unit was asked to make.
ALTER TABLE s4c.acquisition_unit ADD COLUMN tiles text[] NOT NULL DEFAULT '{}';

-- Among which acquisitions, and how, partners of an acquisition were last looked for (a digest).
ALTER TABLE s4c.site_acquisition ADD COLUMN partners text;

-- What was made may lie on several tiles, in parts.
ALTER TABLE s4c.s1_pair ALTER COLUMN extent TYPE geometry(Geometry, 4326);

-- One row a site, acquisition, unit and raster made of it.
CREATE VIEW s4c.radar_report AS
SELECT m.site_id, a.id AS acquisition_id, a.relative_orbit, a.direction, a.sensing_start,
       a.source_product_name AS product, a.state AS acquisition_state,
       u.id AS unit_id, u.unit_key, u.state AS status, u.reason_code, u.failed_reason AS reason,
       b.id AS partner_id, b.source_product_name AS partner, b.sensing_start AS partner_sensed,
       b.state AS partner_state, p.intersection_pct, p.baseline_days, p.original_epsg, p.original_extent,
       q.id AS l2_id, q.name AS l2_product, q.polarisation,
       100 * ST_Area(ST_Intersection(q.footprint, s.geom)) / ST_Area(s.geom) AS site_coverage_pct
FROM s4c.acquisition a
JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
JOIN s4c.site s ON s.id = m.site_id
LEFT JOIN s4c.acquisition_unit u ON u.acquisition_id = a.id
LEFT JOIN s4c.s1_pair p ON p.current_id = a.id AND u.unit_key = 'pair:' || p.previous_id
LEFT JOIN s4c.acquisition b ON b.id = p.previous_id
LEFT JOIN s4c.product q ON q.acquisition_id = a.id AND q.state <> 'superseded'
     AND ((u.unit_key = 'single' AND q.product_type_id = 10)
          OR (q.product_type_id = 11 AND EXISTS (SELECT 1 FROM s4c.product_acquisition x
                                                 WHERE x.product_id = q.id AND x.acquisition_id = p.previous_id)))
WHERE a.satellite_id = 3 AND a.kind IN ('s1_slc', 's1_grd');
