-- What operators were told, and by which channel, so that nothing is told twice.
-- depends: 0015_radar_units

CREATE TABLE s4c.notice (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event    text NOT NULL,
    -- what it is about: the same subject is not told again while it lasts
    subject  text NOT NULL,
    -- null: it concerns the whole installation
    site_id  bigint REFERENCES s4c.site ON DELETE CASCADE,
    season   text,
    text     text NOT NULL,
    remedy   text NOT NULL DEFAULT '',
    found_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX notice_lasting_key ON s4c.notice (event, subject) WHERE ended_at IS NULL;
CREATE INDEX notice_found_idx ON s4c.notice (found_at);

CREATE TABLE s4c.notice_delivery (
    notice_id bigint NOT NULL REFERENCES s4c.notice ON DELETE CASCADE,
    channel   text NOT NULL CHECK (channel IN ('mail', 'webhook')),
    sent_at   timestamptz NOT NULL,
    PRIMARY KEY (notice_id, channel)
);
