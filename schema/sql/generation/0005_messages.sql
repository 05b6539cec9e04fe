-- The messages as they are after all that was done to them. For people and
-- reports: it reads all of what it is asked for, so ask for one channel.
CREATE VIEW IF NOT EXISTS {{.Messages}}{{.OnCluster}} AS
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
FROM (SELECT * FROM {{.Events}} FINAL WHERE kind = 'chat' AND void = 0) AS m
LEFT JOIN (
    SELECT epoch, partition, channel, target,
        maxIf(seq, action = 'edit') AS edited, argMaxIf(body, seq, action = 'edit') AS new_body,
        argMaxIf(type, seq, action = 'edit' AND type != '') AS new_type, argMaxIf(data, seq, action = 'edit' AND data != '') AS new_data,
        groupArrayIf(seq, action = 'delete') AS deletes
    FROM {{.Changes}} FINAL WHERE action IN ('edit', 'delete') GROUP BY epoch, partition, channel, target
) AS c ON c.epoch = m.epoch AND c.partition = m.partition AND c.channel = m.channel AND c.target = m.seq
LEFT JOIN (
    SELECT epoch, partition, channel, target, CAST((groupArray(name), groupArray(users)), 'Map(String, UInt64)') AS reactions FROM (
        SELECT epoch, partition, channel, target, name, countIf(reacts) AS users FROM (
            SELECT epoch, partition, channel, target, user, name, argMax(removed, seq) = 0 AS reacts
            FROM {{.Changes}} FINAL WHERE action = 'react' GROUP BY epoch, partition, channel, target, user, name
        ) GROUP BY epoch, partition, channel, target, name HAVING users > 0
    ) GROUP BY epoch, partition, channel, target
) AS r ON r.epoch = m.epoch AND r.partition = m.partition AND r.channel = m.channel AND r.target = m.seq
LEFT JOIN (
    SELECT epoch, partition, channel, author, groupArray((since, seq)) AS purges
    FROM {{.Changes}} FINAL WHERE action = 'purge' GROUP BY epoch, partition, channel, author
) AS u ON u.epoch = m.epoch AND u.partition = m.partition AND u.channel = m.channel AND u.author = m.user
