-- The messages as they are after all that was done to them. For people and
-- reports: it reads all of what it is asked for, so ask for one channel or a
-- range of time.
CREATE VIEW IF NOT EXISTS {{.Messages}}{{.OnCluster}} AS
SELECT
    m.epoch AS epoch, m.partition AS partition, m.channel AS channel, m.seq AS seq, m.id AS id, m.user AS user, m.info AS info, m.to AS to,
    multiIf(gone, '', c.edited > 0, c.body, m.body) AS body,
    multiIf(gone, '', c.type = 'text', '', c.type != '', c.type, m.type) AS type,
    multiIf(gone, '', c.data = 'null', '', c.data != '', c.data, m.data) AS data,
    if(gone, 0, m.reply) AS reply, if(gone, [], m.mentions) AS mentions,
    m.origin AS origin, m.key AS key, m.time AS time, m.trace AS trace,
    if(gone, 0, c.edited) AS edited,
    arrayMin(arrayConcat(if(c.deleted > 0, [c.deleted], []), arrayMap(p -> p.2, purged))) AS deleted,
    if(gone, map(), r.reactions) AS reactions,
    arrayFilter(p -> p.1 <= m.seq AND m.seq < p.2, u.purges) AS purged,
    c.deleted > 0 OR notEmpty(purged) AS gone
FROM (SELECT * FROM {{.Events}} FINAL WHERE kind = 'chat' AND void = 0) AS m
LEFT JOIN (
    SELECT epoch, partition, channel, target AS seq,
        maxIf(seq, action = 'edit') AS edited, argMaxIf(body, seq, action = 'edit') AS body,
        argMaxIf(type, seq, action = 'edit' AND type != '') AS type, argMaxIf(data, seq, action = 'edit' AND data != '') AS data,
        minIf(seq, action = 'delete') AS deleted
    FROM {{.Changes}} FINAL WHERE action IN ('edit', 'delete') GROUP BY epoch, partition, channel, target
) AS c USING (epoch, partition, channel, seq)
LEFT JOIN (
    SELECT epoch, partition, channel, seq, CAST((groupArray(name), groupArray(users)), 'Map(String, UInt64)') AS reactions FROM (
        SELECT epoch, partition, channel, target AS seq, name, countIf(on) AS users FROM (
            SELECT epoch, partition, channel, target, user, name, argMax(removed, seq) = 0 AS on
            FROM {{.Changes}} FINAL WHERE action = 'react' GROUP BY epoch, partition, channel, target, user, name
        ) GROUP BY epoch, partition, channel, target, name HAVING users > 0
    ) GROUP BY epoch, partition, channel, seq
) AS r USING (epoch, partition, channel, seq)
LEFT JOIN (
    SELECT epoch, partition, channel, author AS user, groupArray((since, seq)) AS purges
    FROM {{.Changes}} FINAL WHERE action = 'purge' GROUP BY epoch, partition, channel, author
) AS u USING (epoch, partition, channel, user)
