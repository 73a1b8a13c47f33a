-- What 1,000 hosts with 20 categories each leave behind is found by index.

-- +goose Up

-- what became of the jobs of one kind, and of one key; what is counted of them
CREATE INDEX jobs_of_kind ON jobs (kind, changed_at);
CREATE INDEX jobs_of ON jobs (key, kind, state, changed_at);

-- the one crawl of each host and category that still has sightings
CREATE INDEX crawls_with_sightings ON crawls (category) WHERE sightings <> '';
