-- Ways to rows from the other end: what refers to a row that is deleted, and acquisitions by their name alone.
-- depends: 0004_configuration_and_uploads

CREATE INDEX acquisition_name_idx ON s4c.acquisition (source_product_name);
CREATE INDEX acquisition_data_source_idx ON s4c.acquisition (data_source_id);
CREATE INDEX acquisition_unit_product_idx ON s4c.acquisition_unit (product_id);
CREATE INDEX site_acquisition_selected_idx ON s4c.site_acquisition (site_id, acquisition_id)
    WHERE relevance = 'selected';
CREATE INDEX job_site_idx ON s4c.job (site_id);
CREATE INDEX product_job_idx ON s4c.product (job_id);
CREATE INDEX waiver_acquisition_idx ON s4c.waiver (acquisition_id);
CREATE INDEX waiver_product_idx ON s4c.waiver (product_id);
