-- One row for each join, chat, leave and down of the log. Rows may repeat until
-- they are merged: count with uniqExact, or read with FINAL or LIMIT 1 BY.
CREATE TABLE IF NOT EXISTS {{.Events}}{{.OnCluster}} (
    epoch     LowCardinality(String) COMMENT 'the incarnation of the log that seq counts in',
    partition Int32 COMMENT 'of parley.events, in which the channel lives',
    channel   String COMMENT 'empty for a down, which is about every channel of its partition',
    seq       Int64 COMMENT 'the offset in the partition' CODEC(Delta, ZSTD),
    kind      Enum8('join' = 1, 'chat' = 2, 'leave' = 3, 'down' = 4),
    user      String COMMENT 'who joined, spoke or left',
    to        String COMMENT 'to whom a private message was sent',
    id        String COMMENT 'the message''s own, unique per user and channel',
    body      String CODEC(ZSTD(3)),
    session   String,
    connector LowCardinality(String) COMMENT 'which appended the event; of a down, the one that went down',
    time      DateTime64(3, 'UTC') COMMENT 'when it was appended' CODEC(Delta, ZSTD),
    reason    Enum8('' = 0, 'leave' = 1, 'disconnect' = 2, 'timeout' = 3) COMMENT 'why the membership ended',
    void      UInt8 COMMENT '1: the event is void by the rule of the log, such as a repeated message',
    trace     String COMMENT 'the W3C trace id, in hex',
    version   Int32 COMMENT 'the format of the log in force at the event'
)
ENGINE = {{.Replacing "version"}}
ORDER BY (epoch, partition, channel, seq)
SETTINGS index_granularity = 1024
