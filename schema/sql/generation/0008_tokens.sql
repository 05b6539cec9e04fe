-- What finds messages by their words. The index makes the tokens of a text itself, so
-- that a query names nothing but the body: an expression in a query that makes them
-- has its patterns compiled several times, which takes longer than the search.
ALTER TABLE {{.Events}}{{.OnCluster}}
    ADD INDEX IF NOT EXISTS by_tokens body {{.Tokens "body"}}
