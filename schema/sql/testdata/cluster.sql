-- base/0001_epochs.sql
-- One row for each epoch of the log that history was written for. A channel's
-- partition in an epoch follows from the epoch's number of partitions.
CREATE TABLE IF NOT EXISTS `chat`.`epochs` ON CLUSTER `parley``s` (
    epoch      String COMMENT 'one incarnation of the log',
    topic_id   String COMMENT 'of parley.events, in hex',
    partitions Int32 COMMENT 'of parley.events',
    first_seen DateTime64(3, 'UTC') COMMENT 'orders the epochs'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{replica}', first_seen)
ORDER BY epoch
;

-- base/0002_generations.sql
-- Every generation that was made the current one. The highest is current.
CREATE TABLE IF NOT EXISTS `chat`.`generations` ON CLUSTER `parley``s` (
    generation UInt32 COMMENT 'names the tables: events_<generation>, watermarks_<generation>',
    since      DateTime64(3, 'UTC') COMMENT 'when it was made the current one'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{replica}', since)
ORDER BY generation
;

-- generation/0001_events.sql
-- One row for each join, chat, leave and down of the log. Rows may repeat until
-- they are merged: count with uniqExact, or read with FINAL or LIMIT 1 BY.
CREATE TABLE IF NOT EXISTS `chat`.`events_2` ON CLUSTER `parley``s` (
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{replica}', version)
ORDER BY (epoch, partition, channel, seq)
SETTINGS index_granularity = 1024
;

-- generation/0002_watermarks.sql
-- Up to which offset of a partition everything is in the events. A row is
-- written after the rows it speaks of; the one with the highest seq counts.
CREATE TABLE IF NOT EXISTS `chat`.`watermarks_2` ON CLUSTER `parley``s` (
    epoch     String,
    partition Int32,
    seq       Int64 COMMENT 'the highest offset of the partition that was dealt with',
    digest    UInt64 COMMENT 'XXH64 of the record at seq: tells a log that lost its end and grew again',
    format    Int32 COMMENT 'the format of the log in force behind seq',
    time      DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{replica}', seq)
ORDER BY (epoch, partition)
;

-- generation/0003_changes.sql
-- One row for each edit, deletion, reaction and purge that is not void, by the
-- message that it changes: what a page needs beside its messages. Written before
-- the watermark that covers it, as the events are. Rows may repeat until they are
-- merged.
CREATE TABLE IF NOT EXISTS `chat`.`changes_2` ON CLUSTER `parley``s` (
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{replica}', version)
ORDER BY (epoch, partition, channel, target, seq)
SETTINGS index_granularity = 1024
;

-- generation/0004_format2.sql
-- What came with format 2 of the log: changes of messages, pins, sanctions,
-- purges and settings, and what a message may have besides its text.
ALTER TABLE `chat`.`events_2` ON CLUSTER `parley``s`
    MODIFY COLUMN kind Enum8('join' = 1, 'chat' = 2, 'leave' = 3, 'down' = 4, 'change' = 5, 'pin' = 6, 'sanction' = 7, 'purge' = 8, 'set' = 9),
    MODIFY COLUMN user String COMMENT 'who joined, spoke, left or changed a message; of a sanction and a purge, whom it is about',
    MODIFY COLUMN to String COMMENT 'to whom a private message was sent; of a change, that of its target',
    MODIFY COLUMN id String COMMENT 'the act''s own, unique per channel and who acted',
    MODIFY COLUMN reason String COMMENT 'why a membership ended: leave, disconnect, timeout, kicked, banned, barred or forbidden; of a deletion, a purge or a sanction, in words of a person',
    ADD COLUMN IF NOT EXISTS info String COMMENT 'of a join and a chat: what the user''s token told of them, as JSON' CODEC(ZSTD(3)),
    ADD COLUMN IF NOT EXISTS origin Enum8('client' = 0, 'backend' = 1) COMMENT 'who published it',
    ADD COLUMN IF NOT EXISTS key LowCardinality(String) COMMENT 'the key of the API that acted; empty for clients',
    ADD COLUMN IF NOT EXISTS type LowCardinality(String) COMMENT 'what a message is, empty for text; of an edit: text takes it away, empty leaves it as it was',
    ADD COLUMN IF NOT EXISTS data String COMMENT 'what programs make of a message, or of a channel, as JSON; of an edit and a set: null takes it away, empty leaves it as it was' CODEC(ZSTD(3)),
    ADD COLUMN IF NOT EXISTS reply Int64 COMMENT 'the seq of the message that it answers; 0: none' CODEC(T64, ZSTD),
    ADD COLUMN IF NOT EXISTS mentions Array(String) COMMENT 'users whom it is meant for',
    ADD COLUMN IF NOT EXISTS action LowCardinality(String) COMMENT 'of a change: edit, delete, react; of a sanction: mute, ban, kick, lift, lift_mute, lift_ban',
    ADD COLUMN IF NOT EXISTS target Int64 COMMENT 'the seq of the message that is changed or pinned' CODEC(T64, ZSTD),
    ADD COLUMN IF NOT EXISTS author String COMMENT 'of a change: whose the target is',
    ADD COLUMN IF NOT EXISTS moderator UInt8 COMMENT '1: who changed it may do so as a moderator',
    ADD COLUMN IF NOT EXISTS name LowCardinality(String) COMMENT 'of a reaction',
    ADD COLUMN IF NOT EXISTS removed UInt8 COMMENT '1: the reaction, or the pin, was taken back',
    ADD COLUMN IF NOT EXISTS by String COMMENT 'the user who pinned, set, purged or put the sanction on; empty for a key',
    ADD COLUMN IF NOT EXISTS until Int64 COMMENT 'of a sanction: when it ends, in milliseconds since 1970; 0: never' CODEC(T64, ZSTD),
    ADD COLUMN IF NOT EXISTS since Nullable(Int64) COMMENT 'of a purge, or a sanction with one: the messages from there up to its own seq' CODEC(ZSTD),
    ADD COLUMN IF NOT EXISTS slow Nullable(Int64) COMMENT 'of a set: seconds between two messages of a user; NULL: as it was',
    ADD COLUMN IF NOT EXISTS frozen Nullable(UInt8) COMMENT 'of a set: 1: moderators alone may write; NULL: as it was',
    ADD COLUMN IF NOT EXISTS topic Nullable(String) COMMENT 'of a set; NULL: as it was',
    ADD INDEX IF NOT EXISTS by_user user TYPE bloom_filter(0.01) GRANULARITY 4,
    ADD INDEX IF NOT EXISTS by_reply reply TYPE bloom_filter(0.01) GRANULARITY 4
;

-- generation/0005_messages.sql
-- The messages as they are after all that was done to them. For people and
-- reports: it reads all of what it is asked for, so ask for one channel.
CREATE VIEW IF NOT EXISTS `chat`.`messages_2` ON CLUSTER `parley``s` AS
WITH
    arrayConcat(c.deletes, arrayMap(p -> p.2, arrayFilter(p -> p.1 <= m.seq AND m.seq < p.2, u.purges))) AS deletions,
    notEmpty(deletions) AS gone
SELECT
    m.epoch AS epoch, m.partition AS partition, m.channel AS channel, m.seq AS seq, m.id AS id, m.user AS user, m.info AS info, m.to AS to,
    multiIf(gone, '', c.edited > 0, c.new_body, m.body) AS body,
    multiIf(gone OR c.new_type = 'text', '', c.new_type != '', c.new_type, m.type) AS type,
    multiIf(gone OR c.new_data = 'null', '', c.new_data != '', c.new_data, m.data) AS data,
    if(gone, 0, m.reply) AS reply, if(gone, [], m.mentions) AS mentions,
    m.origin AS origin, m.key AS key, m.time AS time, m.trace AS trace,
    if(gone, 0, c.edited) AS edited,
    if(gone, arrayMin(deletions), 0) AS deleted,
    if(gone, CAST(map(), 'Map(String, UInt64)'), r.reactions) AS reactions
FROM (SELECT * FROM `chat`.`events_2` FINAL WHERE kind = 'chat' AND void = 0) AS m
LEFT JOIN (
    SELECT epoch, partition, channel, target,
        maxIf(seq, action = 'edit') AS edited, argMaxIf(body, seq, action = 'edit') AS new_body,
        argMaxIf(type, seq, action = 'edit' AND type != '') AS new_type, argMaxIf(data, seq, action = 'edit' AND data != '') AS new_data,
        groupArrayIf(seq, action = 'delete') AS deletes
    FROM `chat`.`changes_2` FINAL WHERE action IN ('edit', 'delete') GROUP BY epoch, partition, channel, target
) AS c ON c.epoch = m.epoch AND c.partition = m.partition AND c.channel = m.channel AND c.target = m.seq
LEFT JOIN (
    SELECT epoch, partition, channel, target, CAST((groupArray(name), groupArray(users)), 'Map(String, UInt64)') AS reactions FROM (
        SELECT epoch, partition, channel, target, name, countIf(reacts) AS users FROM (
            SELECT epoch, partition, channel, target, user, name, argMax(removed, seq) = 0 AS reacts
            FROM `chat`.`changes_2` FINAL WHERE action = 'react' GROUP BY epoch, partition, channel, target, user, name
        ) GROUP BY epoch, partition, channel, target, name HAVING users > 0
    ) GROUP BY epoch, partition, channel, target
) AS r ON r.epoch = m.epoch AND r.partition = m.partition AND r.channel = m.channel AND r.target = m.seq
LEFT JOIN (
    SELECT epoch, partition, channel, author, groupArray((since, seq)) AS purges
    FROM `chat`.`changes_2` FINAL WHERE action = 'purge' GROUP BY epoch, partition, channel, author
) AS u ON u.epoch = m.epoch AND u.partition = m.partition AND u.channel = m.channel AND u.author = m.user
;

-- generation/0006_times.sql
-- An index of times, by which searches find the newest first. What is written from here
-- on is in it. An index of words was here, too, which 0008 has in another form.
ALTER TABLE `chat`.`events_2` ON CLUSTER `parley``s`
    ADD INDEX IF NOT EXISTS by_time time TYPE minmax GRANULARITY 1
;

-- generation/0007_older_times.sql
-- The rows that were there before: the server indexes them in the background, and
-- until it has, reads those parts without the index.
ALTER TABLE `chat`.`events_2` ON CLUSTER `parley``s`
    MATERIALIZE INDEX by_time
SETTINGS mutations_sync = 0
;

-- generation/0008_tokens.sql
-- What finds messages by their words. The index makes the tokens of a text itself, so
-- that a query names nothing but the body: an expression in a query that makes them
-- has its patterns compiled several times, which takes longer than the search.
ALTER TABLE `chat`.`events_2` ON CLUSTER `parley``s`
    ADD INDEX IF NOT EXISTS by_tokens body TYPE text(tokenizer = splitByNonAlpha, preprocessor = concat(replaceRegexpAll(normalizeUTF8NFKCCasefold(body), '[^\\p{L}\\p{N}\\p{M}\\x00-\\x7F]+|[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}ー]+', ' '), ' ', arrayStringConcat(arrayFlatten(arrayMap(run -> arrayConcat(ngrams(run, 1), ngrams(run, 2)), extractAll(normalizeUTF8NFKCCasefold(body), '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}ー]+'))), ' ')))
;

-- generation/0009_tokens_of_edits.sql
-- The same of edits among the changes, which are few beside the events.
ALTER TABLE `chat`.`changes_2` ON CLUSTER `parley``s`
    ADD INDEX IF NOT EXISTS by_tokens body TYPE text(tokenizer = splitByNonAlpha, preprocessor = concat(replaceRegexpAll(normalizeUTF8NFKCCasefold(body), '[^\\p{L}\\p{N}\\p{M}\\x00-\\x7F]+|[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}ー]+', ' '), ' ', arrayStringConcat(arrayFlatten(arrayMap(run -> arrayConcat(ngrams(run, 1), ngrams(run, 2)), extractAll(normalizeUTF8NFKCCasefold(body), '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}ー]+'))), ' ')))
;

-- generation/0010_older_tokens.sql
-- Of the rows that were there before, in the background as in 0007.
ALTER TABLE `chat`.`events_2` ON CLUSTER `parley``s`
    MATERIALIZE INDEX by_tokens
SETTINGS mutations_sync = 0
;

-- generation/0011_older_tokens_of_edits.sql
-- Of the edits that were there before, as of the events.
ALTER TABLE `chat`.`changes_2` ON CLUSTER `parley``s`
    MATERIALIZE INDEX by_tokens
SETTINGS mutations_sync = 0
;

-- generation/0012_former_words.sql
-- The index of words that 0006 made before.
ALTER TABLE `chat`.`events_2` ON CLUSTER `parley``s`
    DROP INDEX IF EXISTS by_words
SETTINGS mutations_sync = 0
;

