-- What finds messages by their words: an index of the words of chats and edits, and
-- one of times, by which the newest are found first. What is written from here on is
-- in them.
ALTER TABLE {{.Events}}{{.OnCluster}}
    ADD INDEX IF NOT EXISTS by_words ({{.Words "body"}}) TYPE text(tokenizer = 'array'),
    ADD INDEX IF NOT EXISTS by_time time TYPE minmax GRANULARITY 1
