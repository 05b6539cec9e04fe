package projector

import (
	"slices"

	"github.com/parley-chat/parley/schema"
)

var (
	eventColumns = []string{"epoch", "partition", "channel", "seq", "kind", "user", "to", "id", "body",
		"session", "connector", "time", "reason", "void", "trace", "version"}
	moreColumns = []string{"info", "origin", "key", "type", "data", "reply", "mentions", "action", "target", "author",
		"moderator", "name", "removed", "by", "until", "since", "slow", "frozen", "topic"}
	changeColumns = []string{"epoch", "partition", "channel", "target", "seq", "action", "user", "key", "author", "to", "id",
		"body", "type", "data", "name", "removed", "since", "reason", "time", "version"}
	watermarkColumns = []string{"epoch", "partition", "seq", "digest", "format", "time"}
)

var nothing more

// each is a column of what rows have more.
func each[T any](b *block, of func(*more) T) []T {
	column := make([]T, len(b.more))
	for i, m := range b.more {
		if m == nil {
			m = &nothing
		}
		column[i] = of(m)
	}
	return column
}

// moreColumns are what rows have more, in the order of moreColumns.
func (b *block) moreColumns() []any {
	text := func(of func(*more) string) []string { return each(b, of) }
	number := func(of func(*more) int64) []int64 { return each(b, of) }
	flag := func(of func(*more) bool) []uint8 { return each(b, func(m *more) uint8 { return flagged(of(m)) }) }
	return []any{
		text(func(m *more) string { return m.info }),
		text(func(m *more) string { return originName(m.origin) }),
		text(func(m *more) string { return m.key }),
		text(func(m *more) string { return m.kind }),
		text(func(m *more) string { return m.data }),
		number(func(m *more) int64 { return m.reply }),
		each(b, func(m *more) []string { return m.mentions }),
		text(func(m *more) string { return m.action }),
		number(func(m *more) int64 { return m.target }),
		text(func(m *more) string { return m.author }),
		flag(func(m *more) bool { return m.moderator }),
		text(func(m *more) string { return m.name }),
		flag(func(m *more) bool { return m.removed }),
		text(func(m *more) string { return m.by }),
		number(func(m *more) int64 { return m.until }),
		each(b, func(m *more) *int64 { return m.since }),
		each(b, func(m *more) *int64 { return m.slow }),
		each(b, func(m *more) *uint8 {
			if m.frozen == nil {
				return nil
			}
			frozen := flagged(*m.frozen)
			return &frozen
		}),
		each(b, func(m *more) *string { return m.topic }),
	}
}

// changes are the rows that change messages, in the order of changeColumns.
func (b *block) changes(epoch string) []any {
	of := func(column []string) []string { return picked(b, func(i int) string { return column[i] }) }
	purges := func(i int) bool { return b.kind[i] != "change" }
	return []any{
		slices.Repeat([]string{epoch}, len(b.changed)),
		picked(b, func(i int) int32 { return b.partition[i] }),
		of(b.channel),
		picked(b, func(i int) int64 { return b.more[i].target }),
		picked(b, func(i int) int64 { return b.seq[i] }),
		picked(b, func(i int) string {
			if purges(i) {
				return "purge"
			}
			return b.more[i].action
		}),
		picked(b, func(i int) string {
			if purges(i) {
				return b.more[i].by
			}
			return b.user[i]
		}),
		picked(b, func(i int) string { return b.more[i].key }),
		picked(b, func(i int) string {
			if purges(i) {
				return b.user[i]
			}
			return b.more[i].author
		}),
		of(b.to), of(b.id), of(b.body),
		picked(b, func(i int) string { return b.more[i].kind }),
		picked(b, func(i int) string { return b.more[i].data }),
		picked(b, func(i int) string { return b.more[i].name }),
		picked(b, func(i int) uint8 { return flagged(b.more[i].removed) }),
		picked(b, func(i int) int64 {
			if b.more[i].since == nil {
				return 0
			}
			return *b.more[i].since
		}),
		of(b.reason),
		picked(b, func(i int) int64 { return b.time[i] }),
		picked(b, func(i int) int32 { return b.version[i] }),
	}
}

// picked is a column of the rows that change messages.
func picked[T any](b *block, of func(row int) T) []T {
	column := make([]T, len(b.changed))
	for k, i := range b.changed {
		column[k] = of(i)
	}
	return column
}

func flagged(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}

func originName(o schema.Origin) string {
	if o == schema.Origin_ORIGIN_CLIENT {
		return "client"
	}
	return "backend"
}
