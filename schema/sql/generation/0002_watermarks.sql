-- Up to which offset of a partition everything is in the events. A row is
-- written after the rows it speaks of; the one with the highest seq counts.
CREATE TABLE IF NOT EXISTS {{.Watermarks}}{{.OnCluster}} (
    epoch     String,
    partition Int32,
    seq       Int64 COMMENT 'the highest offset of the partition that was dealt with',
    digest    UInt64 COMMENT 'XXH64 of the record at seq: tells a log that lost its end and grew again',
    format    Int32 COMMENT 'the format of the log in force behind seq',
    time      DateTime64(3, 'UTC')
)
ENGINE = {{.Replacing "seq"}}
ORDER BY (epoch, partition)
