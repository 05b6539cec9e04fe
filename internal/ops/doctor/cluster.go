package doctor

import (
	"context"
	"fmt"
	"time"
)

// behindReplica is how far a replica may be behind.
const behindReplica = time.Minute

// checkCluster checks the cluster over which the tables are replicated.
func (x *examination) checkCluster(ctx context.Context) error {
	name := x.cfg.DB.Cluster()
	if name == "" {
		return nil
	}
	var servers uint64
	if err := x.cfg.DB.QueryRow(ctx, "SELECT count() FROM system.clusters WHERE cluster = ?", name).Scan(&servers); err != nil {
		return fmt.Errorf("ask ClickHouse for its clusters: %w", err)
	}
	if servers == 0 {
		x.find(Error, "ClickHouse", "correct --clickhouse, or its configuration")("it knows no cluster %q: tables cannot be created or rebuilt", name)
	}
	found, err := x.tableReplicas(ctx)
	if err != nil {
		return err
	}
	for _, r := range found {
		x.checkTableReplica(r)
	}
	return nil
}

// tableReplica is what a server knows of a replicated table.
type tableReplica struct {
	table         string
	readOnly      bool
	behind        time.Duration
	active, total uint64 // replicas
}

func (x *examination) tableReplicas(ctx context.Context) (found []tableReplica, err error) {
	rows, err := x.cfg.DB.Query(ctx, `SELECT table, is_readonly = 1, toUInt64(absolute_delay), toUInt64(active_replicas), toUInt64(total_replicas)
		FROM system.replicas WHERE database = ? ORDER BY table`, x.cfg.DB.Database())
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for its replicas: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r tableReplica
		var readOnly uint8
		var seconds uint64
		if err := rows.Scan(&r.table, &readOnly, &seconds, &r.active, &r.total); err != nil {
			return nil, err
		}
		r.readOnly, r.behind = readOnly == 1, time.Duration(seconds)*time.Second
		found = append(found, r)
	}
	return found, rows.Err()
}

func (x *examination) checkTableReplica(r tableReplica) {
	subject := "table " + r.table
	switch {
	case r.readOnly: // the other columns mean nothing then
		x.find(Error, subject, "check Keeper, and restore the replica")("it is read-only on the server that was asked")
		return
	case r.active < r.total:
		x.find(Warning, subject, "start or repair the servers that are missing")("%d of %d replicas are active", r.active, r.total)
	case r.behind > behindReplica:
		x.find(Warning, subject, "check the replication queue")("the replica that was asked is %v behind", r.behind)
	}
	if r.total < 2 {
		x.find(Warning, subject, "add a server to the cluster")("it has one replica: the loss of a machine means a rebuild from the log")
	}
}
