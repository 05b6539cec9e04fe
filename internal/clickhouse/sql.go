package clickhouse

import (
	"context"
	"io"
	"reflect"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// SQL runs an operator's statement in the database, once, and passes its
// result to row: the names of the columns first, unless there are none,
// then the values of each row. It ends when row returns an error.
func (db *DB) SQL(ctx context.Context, statement string, row func(values []any) error) error {
	opts := options(db.target, Options{MaxConns: 1, DialTimeout: db.opts.DialTimeout, ReadTimeout: db.opts.ReadTimeout})
	opts.Auth.Database = db.target.Database
	conn, err := driver.Open(opts)
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, statement)
	if err == io.EOF { // done, without a result; a broken connection has another error
		return nil
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]any, len(rows.Columns()))
	for i, name := range rows.Columns() {
		values[i] = name
	}
	if len(values) > 0 {
		if err := row(values); err != nil {
			return err
		}
	}
	places := make([]any, len(values))
	for rows.Next() {
		for i, column := range rows.ColumnTypes() {
			places[i] = reflect.New(column.ScanType()).Interface()
		}
		if err := rows.Scan(places...); err != nil {
			return err
		}
		for i, place := range places {
			values[i] = reflect.ValueOf(place).Elem().Interface()
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return rows.Err()
}
