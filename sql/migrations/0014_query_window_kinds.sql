-- What a window's last search asked remote catalogues for: they are asked only for the product kinds a season uses, so
-- a season that comes to use others is searched again.
-- depends: 0013_remote_sources

ALTER TABLE s4c.query_window ADD COLUMN asked text[] NOT NULL DEFAULT '{}';
