-- +goose Up

-- The version whose content a manifest has by a roll-back; 0: it is none.
ALTER TABLE manifests ADD COLUMN rolled_back_to BIGINT NOT NULL DEFAULT 0;
