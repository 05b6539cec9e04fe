package tests

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// Bodies as large as the limits allow, and as JSON makes them, are recovered,
// paged through and heard live: nothing that is sent is too large to be
// received, and no recovery throws its session out again. All of a case are
// several pages and, as they are pushed at once, less than limits.queue.
//
//parley:bound a page
func TestLargestMessagesAreReceived(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		limit  int
		number int
	}{
		"control characters, six bytes each": {strings.Repeat("\x01", 4096), 4096, 150},
		"bodies of 60,000":                   {strings.Repeat("x", 60_000), 65536, 65},
		"all of both":                        {strings.Repeat("\x01", 65536), 65536, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiveLargest(t, c.body, c.limit, c.number)
		})
	}
}

func receiveLargest(t *testing.T, body string, limit, number int) {
	c := newCluster(t)
	worker := c.worker()
	c.projector()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Body = limit }).addr
	ada, bob := enter(t, url, "ada"), enter(t, url, "bob")
	ada.join("lobby")
	before := bob.join("lobby")

	// Queued live while a worker restarts.
	worker.stop()
	var sent []int64
	for range number {
		sent = append(sent, ada.chat("lobby", body).Seq)
	}
	c.worker()
	for i, seq := range sent {
		if m := bob.hears(); m.Seq != seq {
			t.Fatalf("message %d: %d, want %d", i, m.Seq, seq)
		}
	}
	bob.Cut()

	// On every connector: from the ring of one that was there, and from history.
	for _, url := range []string{url, c.connector(func(cfg *connector.Config) { cfg.Limits.Body = limit }).addr} {
		again := enter(t, url, "bob")
		page := again.hello.Limits.Page
		r := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &before.Seq, Epoch: before.Epoch, Limit: ptr(300)})
		fits(t, "join", r, page)
		if r.Recovered == nil || *r.Recovered || r.Reason != rpc.ReasonTooMany || !r.More {
			t.Fatalf("recovered %v, reason %q, more %v", *r.Recovered, r.Reason, r.More)
		}
		newestOf(t, "join", r.Messages, sent)

		var got []int64
		for after, more := before.Seq, true; more; after = got[len(got)-1] {
			h := again.history(rpc.HistoryParams{Channel: "lobby", After: &after, Limit: ptr(300)})
			fits(t, "after", h, page)
			got, more = append(got, seqsOf(h.Messages)...), h.More
		}
		if !slices.Equal(got, sent) {
			t.Errorf("forward: %d messages of %d", len(got), len(sent))
		}
		got = nil
		for before, more := sent[number-1]+1, true; more; before = got[0] {
			h := again.history(rpc.HistoryParams{Channel: "lobby", Before: &before, Limit: ptr(300)})
			fits(t, "before", h, page)
			got, more = append(seqsOf(h.Messages), got...), h.More
		}
		if !slices.Equal(got, sent) {
			t.Errorf("backward: %d messages of %d", len(got), len(sent))
		}
		middle := sent[number/2]
		h := again.history(rpc.HistoryParams{Channel: "lobby", Around: &middle, Limit: ptr(300)})
		fits(t, "around", h, page)
		near := seqsOf(h.Messages)
		at := slices.Index(near, middle)
		if !h.More || !h.Newer || at < 0 || at-(len(near)-1-at) > 1 || at-(len(near)-1-at) < -1 {
			t.Errorf("around %d: %v, more %v, newer %v", middle, near, h.More, h.Newer)
		}
	}
}

// Bodies of which every other character is found: where the words are is of the same
// page, and of a message it has 1,000 of these places at most.
//
//parley:bound a page
func TestLargestMessagesAreFound(t *testing.T) {
	t.Parallel()
	const limit, number = 65536, 12
	c := newCluster(t)
	c.worker()
	c.projector()
	ada := enter(t, c.connector(func(cfg *connector.Config) { cfg.Limits.Body = limit }).addr, "ada")
	ada.join("lobby")
	var sent []int64
	for range number {
		sent = append(sent, ada.chat("lobby", strings.Repeat("x\x01", limit/2)).Seq)
	}
	query := rpc.SearchParams{Query: "x", Limit: ptr(100)}
	await.That(t, "the newest is found", func() bool {
		found := ada.search(query)
		return len(found) > 0 && found[0].Seq == sent[number-1]
	})
	var got []int64
	for more := true; more; {
		var r rpc.SearchResult
		ada.call(rpc.MethodSearch, query, &r)
		fits(t, "search", r, ada.hello.Limits.Page)
		for _, m := range r.Messages {
			got = append(got, m.Seq)
			if n := len(m.Highlight); n != 1000 {
				t.Errorf("of %d the search tells %d places", m.Seq, n)
			}
		}
		more, query.Before = r.More, r.Before
	}
	slices.Reverse(got)
	if !slices.Equal(got, sent) {
		t.Errorf("pages have %v, of %v", got, sent)
	}
}

func seqsOf(messages []rpc.Message) (seqs []int64) {
	for _, m := range messages {
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

func newestOf(t *testing.T, what string, messages []rpc.Message, all []int64) {
	t.Helper()
	if got := seqsOf(messages); len(got) == 0 || !slices.Equal(got, all[len(all)-len(got):]) {
		t.Errorf("%s: %v are not the newest", what, got)
	}
}

// fits holds that a result is no larger than a page, as it is encoded, and not
// much smaller either.
func fits(t *testing.T, what string, result any, page int) {
	t.Helper()
	b, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > page {
		t.Errorf("%s: %s are more than a page of %d bytes", what, fmt.Sprint(len(b)), page)
	}
}
