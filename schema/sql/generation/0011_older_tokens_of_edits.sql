-- Of the edits that were there before, as of the events.
ALTER TABLE {{.Changes}}{{.OnCluster}}
    MATERIALIZE INDEX by_tokens
SETTINGS mutations_sync = 0
