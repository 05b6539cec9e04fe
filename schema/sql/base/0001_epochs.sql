-- One row for each epoch of the log that history was written for. A channel's
-- partition in an epoch follows from the epoch's number of partitions.
CREATE TABLE IF NOT EXISTS {{.Epochs}}{{.OnCluster}} (
    epoch      String COMMENT 'one incarnation of the log',
    topic_id   String COMMENT 'of parley.events, in hex',
    partitions Int32 COMMENT 'of parley.events',
    first_seen DateTime64(3, 'UTC') COMMENT 'orders the epochs'
)
ENGINE = {{.Replacing "first_seen"}}
ORDER BY epoch
