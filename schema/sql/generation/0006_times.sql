-- An index of times, by which searches find the newest first. What is written from here
-- on is in it. An index of words was here, too, which 0008 has in another form.
ALTER TABLE {{.Events}}{{.OnCluster}}
    ADD INDEX IF NOT EXISTS by_time time TYPE minmax GRANULARITY 1
