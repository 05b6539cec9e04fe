-- The rows that were there before: the server indexes them in the background, and
-- until it has, reads those parts without the index.
ALTER TABLE {{.Events}}{{.OnCluster}}
    MATERIALIZE INDEX by_time
SETTINGS mutations_sync = 0
