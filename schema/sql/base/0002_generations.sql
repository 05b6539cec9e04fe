-- Every generation that was made the current one. The highest is current.
CREATE TABLE IF NOT EXISTS {{.Generations}}{{.OnCluster}} (
    generation UInt32 COMMENT 'names the tables: events_<generation>, watermarks_<generation>',
    since      DateTime64(3, 'UTC') COMMENT 'when it was made the current one'
)
ENGINE = {{.Replacing "since"}}
ORDER BY generation
