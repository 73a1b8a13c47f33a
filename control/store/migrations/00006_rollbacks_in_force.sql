-- +goose Up

-- A roll-back from before there was a column for it, by the records of jobs: which
-- version it went back to they do not tell, so it names its own. It is not in the
-- migration that adds the column, which CockroachDB fills after that.
UPDATE manifests SET rolled_back_to = version
WHERE rolled_back_to = 0 AND version = (SELECT MAX(version) FROM manifests)
    AND (SELECT COALESCE(MAX(changed_at), 0) FROM jobs WHERE kind = 'rollback' AND state = 'done')
      > (SELECT COALESCE(MAX(changed_at), 0) FROM jobs WHERE kind = 'publish' AND state = 'done');
