-- One row for each edit, deletion, reaction and purge that is not void, by the
-- message that it changes: what a page needs beside its messages. Written before
-- the watermark that covers it, as the events are. Rows may repeat until they are
-- merged.
CREATE TABLE IF NOT EXISTS {{.Changes}}{{.OnCluster}} (
    epoch     LowCardinality(String),
    partition Int32,
    channel   String,
    target    Int64 COMMENT 'the seq of the message; 0: of a purge, which hits many' CODEC(Delta, ZSTD),
    seq       Int64 COMMENT 'the offset in the partition' CODEC(Delta, ZSTD),
    action    Enum8('edit' = 1, 'delete' = 2, 'react' = 3, 'purge' = 4),
    user      String COMMENT 'who did it; empty for a purge by a key',
    key       LowCardinality(String) COMMENT 'the key of the API that acted; empty for clients',
    author    String COMMENT 'whose the message is; of a purge, whose messages are deleted',
    to        String COMMENT 'to whom the message was sent, if it is private',
    id        String,
    body      String COMMENT 'of an edit' CODEC(ZSTD(3)),
    type      LowCardinality(String) COMMENT 'of an edit: text takes it away, empty leaves it as it was',
    data      String COMMENT 'of an edit: null takes it away, empty leaves it as it was' CODEC(ZSTD(3)),
    name      LowCardinality(String) COMMENT 'of a reaction',
    removed   UInt8 COMMENT '1: the reaction was taken back',
    since     Int64 COMMENT 'of a purge: the messages from there up to seq' CODEC(T64, ZSTD),
    reason    String COMMENT 'of a deletion or a purge',
    time      DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    version   Int32
)
ENGINE = {{.Replacing "version"}}
ORDER BY (epoch, partition, channel, target, seq)
SETTINGS index_granularity = 1024
