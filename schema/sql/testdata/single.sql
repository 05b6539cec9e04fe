-- base/0001_epochs.sql
-- One row for each epoch of the log that history was written for. A channel's
-- partition in an epoch follows from the epoch's number of partitions.
CREATE TABLE IF NOT EXISTS `chat`.`epochs` (
    epoch      String COMMENT 'one incarnation of the log',
    topic_id   String COMMENT 'of parley.events, in hex',
    partitions Int32 COMMENT 'of parley.events',
    first_seen DateTime64(3, 'UTC') COMMENT 'orders the epochs'
)
ENGINE = ReplacingMergeTree(first_seen)
ORDER BY epoch
;

-- base/0002_generations.sql
-- Every generation that was made the current one. The highest is current.
CREATE TABLE IF NOT EXISTS `chat`.`generations` (
    generation UInt32 COMMENT 'names the tables: events_<generation>, watermarks_<generation>',
    since      DateTime64(3, 'UTC') COMMENT 'when it was made the current one'
)
ENGINE = ReplacingMergeTree(since)
ORDER BY generation
;

-- generation/0001_events.sql
-- One row for each join, chat, leave and down of the log. Rows may repeat until
-- they are merged: count with uniqExact, or read with FINAL or LIMIT 1 BY.
CREATE TABLE IF NOT EXISTS `chat`.`events_2` (
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
ENGINE = ReplacingMergeTree(version)
ORDER BY (epoch, partition, channel, seq)
SETTINGS index_granularity = 1024
;

-- generation/0002_watermarks.sql
-- Up to which offset of a partition everything is in the events. A row is
-- written after the rows it speaks of; the one with the highest seq counts.
CREATE TABLE IF NOT EXISTS `chat`.`watermarks_2` (
    epoch     String,
    partition Int32,
    seq       Int64 COMMENT 'the highest offset of the partition that was dealt with',
    digest    UInt64 COMMENT 'XXH64 of the record at seq: tells a log that lost its end and grew again',
    format    Int32 COMMENT 'the format of the log in force behind seq',
    time      DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY (epoch, partition)
;

