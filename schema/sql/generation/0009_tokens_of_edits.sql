-- The same of edits among the changes, which are few beside the events.
ALTER TABLE {{.Changes}}{{.OnCluster}}
    ADD INDEX IF NOT EXISTS by_tokens body {{.Tokens "body"}}
