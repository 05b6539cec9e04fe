package projector

import (
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/schema"
)

// Every kind of event becomes its row; what is about the log itself does not.
func TestRows(t *testing.T) {
	s := newSystem(t)
	private := chat("lobby", "ada", "m2", "psst")
	private.GetChat().To, private.GetChat().Trace = "bob", "0af7651916cd43dd8448eb211c80319c"
	offsets := s.publish(1,
		&schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{Channel: "lobby", Session: "s", User: "ada"}}},
		chat("lobby", "ada", "m1", "hi 'there' \\ \x00 \n"),
		private,
		chat("lobby", "ada", "m1", "hi again"),
		&schema.Event{Kind: &schema.Event_Leave{Leave: &schema.Leave{Channel: "lobby", Session: "s", User: "ada", Reason: schema.Reason_REASON_LEAVE}}},
		&schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: "c", Reason: schema.Reason_REASON_TIMEOUT}}},
		&schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 1}}},
	)
	s.project(s.config())
	st := s.store()
	s.await(st, 1, offsets[6])
	want := []string{
		`(1,'lobby',1,'join','ada','','','','s','c','2026-09-21 14:13:20.123','',0,'',1)`,
		`(1,'lobby',2,'chat','ada','','m1','hi \'there\' \\ \0 \n','s','c','2026-09-21 14:13:20.123','',0,'',1)`,
		`(1,'lobby',3,'chat','ada','bob','m2','psst','s','c','2026-09-21 14:13:20.123','',0,'0af7651916cd43dd8448eb211c80319c',1)`,
		`(1,'lobby',4,'chat','ada','','m1','hi again','s','c','2026-09-21 14:13:20.123','',1,'',1)`,
		`(1,'lobby',5,'leave','ada','','','','s','c','2026-09-21 14:13:20.123','leave',0,'',1)`,
		`(1,'',6,'down','','','','','','c','2026-09-21 14:13:20.123','timeout',0,'',1)`,
	}
	if got := s.rows(st.db, 1); !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
