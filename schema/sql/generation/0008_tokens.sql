-- The index of words makes the tokens of a text itself, so that a query names nothing
-- but the body. With an expression in its place ClickHouse compiles the patterns of
-- schema/sql.Words several times for each query, which takes longer than the search.
ALTER TABLE {{.Events}}{{.OnCluster}}
    ADD INDEX IF NOT EXISTS by_tokens body {{.Tokens "body"}},
    DROP INDEX IF EXISTS by_words
