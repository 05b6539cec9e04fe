-- The index of words that 0006 made before.
ALTER TABLE {{.Events}}{{.OnCluster}}
    DROP INDEX IF EXISTS by_words
SETTINGS mutations_sync = 0
