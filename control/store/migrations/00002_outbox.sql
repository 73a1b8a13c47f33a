-- +goose Up

-- Messages that wait for a recipient, each as JSON. One that is posted twice
-- waits once.
CREATE TABLE outbox (
    recipient TEXT NOT NULL,
    id        TEXT NOT NULL,
    at        BIGINT NOT NULL,
    data      TEXT NOT NULL,
    PRIMARY KEY (recipient, id)
);
