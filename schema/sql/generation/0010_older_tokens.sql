-- Of the rows that were there before, in the background as in 0007.
ALTER TABLE {{.Events}}{{.OnCluster}}
    MATERIALIZE INDEX by_tokens
SETTINGS mutations_sync = 0
