package connector

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/screen"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Values of labels.
const (
	outcomeOK          = "ok"
	outcomeFailed      = "failed"
	outcomeDegraded    = "degraded"
	outcomeRefused     = "refused"
	outcomeUnavailable = "unavailable"

	sourceRing       = "ring"       // the connector's memory
	sourceClickHouse = "clickhouse" // and the log above its watermark
	sourceLog        = "log"        // alone, for want of ClickHouse
)

// metrics are what a connector measures. Nothing is measured for each member
// of a channel: deliveries are counted once a batch, and queues are looked at
// when somebody asks.
type metrics struct {
	connections  meter.Level
	upgrades     meter.Tally // by result
	limited      meter.Tally // by limit
	refused      meter.Tally // by reason
	screened     meter.Tally // by outcome
	closes       meter.Tally // by code
	slow         meter.Counter
	shed         meter.Counter
	requests     meter.Tally // by method and result
	protocols    meter.Tally // requests, by protocol
	joins        meter.Tally // by result
	recoveries   meter.Tally // by result
	messages     meter.Counter
	changes      meter.Counter
	deliveries   meter.Counter
	delivery     meter.Histogram // seconds
	batch        meter.Histogram // pushes
	acks         meter.Histogram // seconds, by event
	reads        meter.Tally     // by source and result
	readTime     meter.Histogram // seconds, by source and result
	searches     meter.Histogram // seconds, by result
	incarnations meter.Tally     // by reason
	corrupt      meter.Tally     // by topic
	keyFetches   meter.Tally     // by result
	handshakes   meter.Counter   // that failed
	signals      meter.Tally     // by what became of them
	api          meter.Tally     // by method and result
	apiAnswers   meter.Tally     // by status
}

func newMetrics(p metric.MeterProvider) *metrics {
	m := meter.New(p)
	results := []string{outcomeOK, outcomeUnavailable, "budget", "timeout"}
	reads := meter.ByTwo("source", []string{sourceClickHouse, sourceLog}, "result", results)
	allReads := meter.ByTwo("source", []string{sourceRing}, "result", []string{outcomeOK})
	maps.Copy(allReads, reads)
	return &metrics{
		connections: m.Level("parley.connector.connections", "{connection}", "Open WebSockets."),
		upgrades: m.Tally("parley.connector.upgrades", "{request}",
			"WebSockets that were asked for, by what became of them: ok; full, address (too many of it), rate or hello (too many that have not sent it), all answered with 503; refused for its host, origin or proxy; not_ready, draining, or failed for a bad request.",
			meter.By("result", outcomeOK, admission.RefusedFull, admission.RefusedAddress, admission.RefusedRate, admission.RefusedHello, "not_ready", "draining", outcomeRefused, outcomeFailed)),
		limited: m.Tally("parley.connector.limited", "{event}",
			"Times that a client met a limit, by which: requests and joins of a session, those of its user, chats, moderation, signals, user_connections; searches, of a session that has one under way; bytes, for which reading waited; hello, for the lack of which a connection made room; plain, one that was not a WebSocket and did.",
			meter.By("limit", limitNames...)),
		refused: m.Tally("parley.connector.refused", "{request}",
			"Requests that moderators' acts have stopped, by which: mute, ban or frozen (1009); slow, of slow mode (1005); full, a bound of mutes, bans or settings (1011).",
			meter.By("reason", refusedMute, refusedBan, refusedFrozen, refusedSlow, refusedFull)),
		screened: m.Tally("parley.connector.before_chat", "{text}",
			"Texts that the program of --before-chat was asked about, by outcome: allow, replace, deny, failed (no answer that can be used), or skipped (not asked: it failed 20 times in a row, or too many wait).",
			meter.By("outcome", screen.Outcomes...)),
		closes: m.Tally("parley.connector.closes", "{connection}",
			"WebSockets that ended, by close code; 1006 is one that was cut without a code.", meter.By("code", knownCodes...)),
		slow: m.Counter("parley.connector.slow_consumers", "{connection}",
			"WebSockets that were closed because their clients read too slowly."),
		shed: m.Counter("parley.connector.shed", "{connection}",
			"WebSockets among the slow consumers that were closed because the queues of all together were full, and theirs was the longest."),
		requests: m.Tally("parley.connector.requests", "{request}",
			"Requests of clients that were answered, by method and result: ok, refused, or unavailable where the servers are to blame.",
			meter.ByTwo("method", methods, "result", []string{outcomeOK, outcomeRefused, outcomeUnavailable})),
		protocols: m.Tally("parley.connector.protocol.requests", "{request}",
			"Requests that were answered, by the protocol of the client: jsonrpc, as documented, or pomelo. What a client of pomelo asks may take several.",
			meter.By("protocol", front.JSONRPC, front.Pomelo)),
		joins: m.Tally("parley.connector.joins", "{join}",
			"Joins that were answered, by result: ok, degraded (without the history that could not be read), or failed.",
			meter.By("result", outcomeOK, outcomeDegraded, outcomeFailed)),
		recoveries: m.Tally("parley.connector.recoveries", "{join}",
			"Joins that asked for what was missed, by result: recovered, or why not.",
			meter.By("result", "recovered", rpc.ReasonTooMany, rpc.ReasonEpoch, rpc.ReasonUnavailable, rpc.ReasonForbidden)),
		messages: m.Counter("parley.connector.messages", "{message}",
			"Messages of clients and backends that the log has acknowledged."),
		changes: m.Counter("parley.connector.changes", "{change}",
			"Edits, deletions, reactions and pins of clients and backends that the log has acknowledged."),
		deliveries: m.Counter("parley.connector.deliveries", "{message}",
			"Messages that were handed to the sockets of sessions, once for each session."),
		delivery: m.Histogram("parley.connector.delivery.duration", "s",
			"Time from a message's arrival at its sender's connector until it was handed to the sockets here, once for each message. Clocks that differ make it wrong by as much.",
			meter.Seconds, nil),
		batch: m.Histogram("parley.connector.batch.size", "{push}", "Pushes that were read at once.", meter.Sizes, nil),
		acks: m.Histogram("parley.connector.ack.duration", "s",
			"Time until the log acknowledged an event, by its kind.", meter.Seconds, meter.By("event", "join", "chat", "change", "moderation", "leave")),
		reads: m.Tally("parley.connector.history.reads", "{read}",
			"Reads of history, by where it was found (ring is the connector's memory) and by result.", allReads),
		readTime: m.Histogram("parley.connector.history.read.duration", "s",
			"Time of a read of history that memory did not have, waiting for its turn included, by source and result.", meter.Seconds, reads),
		searches: m.Histogram("parley.connector.search.duration", "s",
			"Time of a search, waiting for its turn included, by result: ok, refused (the user is banned), timeout (2 s), budget (the log above what ClickHouse has is too long) or unavailable.",
			meter.Seconds, meter.By("result", outcomeOK, outcomeRefused, outcomeUnavailable, "budget", "timeout")),
		incarnations: m.Tally("parley.connector.incarnations", "{incarnation}",
			"Lives that the connector began, by why: start, or what ended the one before.",
			meter.By("reason", "start", "lost_push", "declared_down", "silent_log", "pushes_cut", "other")),
		keyFetches: m.Tally("parley.connector.key_fetches", "{fetch}",
			"Times that the keys of tokens were fetched from --auth-jwks, by result: ok or failed. After a failure those there are serve on.",
			meter.By("result", outcomeOK, outcomeFailed)),
		handshakes: m.Counter("parley.connector.failed_handshakes", "{handshake}",
			"TLS handshakes of clients that failed, and plain requests to the TLS port: of scanners, or of clients that do not trust the certificate. The log has each at level debug."),
		signals: m.Tally("parley.connector.signals", "{signal}",
			"Signals by what became of them: in, they were taken from clients; out, they were handed to sockets, once for each session; dropped for a newer one, a full queue, a client that reads slowly, or the want of a topic.",
			meter.By("what", signalIn, signalOut, signalDropped)),
		api: m.Tally("parley.connector.api.requests", "{request}",
			"Requests of backends that were answered, by method and result: ok, refused, or unavailable where the servers are to blame. A batch has many.",
			meter.ByTwo("method", apiMethods, "result", []string{outcomeOK, outcomeRefused, outcomeUnavailable})),
		apiAnswers: m.Tally("parley.connector.api.answers", "{answer}",
			"HTTP answers of the API, by status: 401 where a key is wrong, 429 above its rate.", meter.By("status", apiStatuses...)),
		corrupt: eventlog.CorruptRecords(m, schema.TopicPush, schema.TopicRules),
	}
}

// limits are the values of a label.
var limitNames = []string{"requests", "user_requests", "joins", "user_joins", "chats", "moderation", "signals", "searches", "user_connections", "bytes", "hello", "plain"}

// methods are the values of a label.
var methods = append(slices.Clone(rpc.Methods), "other")

var knownCodes = closeCodes()

func closeCodes() (all []string) {
	for _, code := range append(slices.Clone(ws.Codes),
		rpc.CloseShutdown, rpc.CloseExpired, rpc.CloseSlow, rpc.CloseLostPlace, rpc.CloseNoPong, rpc.CloseTryLater,
		rpc.CloseBadToken, rpc.CloseMisuse, rpc.CloseNoHello, rpc.CloseAdmin, rpc.CloseConnections,
	) {
		all = append(all, strconv.Itoa(code))
	}
	return append(all, "other")
}

// closed counts how a connection ends.
func (m *metrics) closed(e front.Ending) {
	code := cmp.Or(e.Ours, e.Theirs)
	if code == rpc.CloseSlow {
		m.slow.Add(1)
	}
	label := strconv.Itoa(code)
	if !slices.Contains(knownCodes, label) {
		label = "other"
	}
	m.closes.Add(1, label)
}

// outcomeOf is what a request's answer is; e is nil for a result.
func outcomeOf(e *rpc.Error) string {
	switch {
	case e == nil:
		return outcomeOK
	case e.Code == rpc.CodeUnavailable || e.Code == rpc.CodeHistoryUnavailable || e.Code == rpc.CodeInternal:
		return outcomeUnavailable
	}
	return outcomeRefused
}

// answered counts a request's answer; e is nil for a result.
func (m *metrics) answered(protocol, method string, e *rpc.Error) {
	m.protocols.Add(1, protocol)
	result := outcomeOf(e)
	if e != nil && method == rpc.MethodJoin {
		m.joins.Add(1, outcomeFailed)
	}
	if _, known := requestOf(method); !known {
		method = "other"
	}
	m.requests.Add(1, method, result)
}

// joined counts a join's result.
func (m *metrics) joined(p *past) {
	if p.degraded {
		m.joins.Add(1, outcomeDegraded)
	} else {
		m.joins.Add(1, outcomeOK)
	}
	switch {
	case p.recovered == nil:
	case *p.recovered:
		m.recoveries.Add(1, "recovered")
	default:
		m.recoveries.Add(1, p.reason)
	}
}

// acknowledged counts an event that the log has taken.
func (m *metrics) acknowledged(e *schema.Event, took time.Duration) {
	switch e.Kind.(type) {
	case *schema.Event_Join:
		m.acks.Record(took.Seconds(), "join")
	case *schema.Event_Leave:
		m.acks.Record(took.Seconds(), "leave")
	case *schema.Event_Chat:
		m.acks.Record(took.Seconds(), "chat")
		m.messages.Add(1)
	case *schema.Event_Change, *schema.Event_Pin:
		m.acks.Record(took.Seconds(), "change")
		m.changes.Add(1)
	case *schema.Event_Sanction, *schema.Event_Purge, *schema.Event_Set:
		m.acks.Record(took.Seconds(), "moderation")
	}
}

// read counts a read of history that memory did not have.
func (m *metrics) read(source string, took time.Duration, err error) {
	result := resultOf(err)
	m.reads.Add(1, source, result)
	m.readTime.Record(took.Seconds(), source, result)
}

// resultOf says how a read of history ended.
func resultOf(err error) string {
	switch {
	case errors.Is(err, history.ErrTail):
		return "budget"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case err != nil && !errors.Is(err, history.ErrEpoch):
		return outcomeUnavailable
	}
	return outcomeOK
}

// searched counts a search.
func (m *metrics) searched(took time.Duration, err error) {
	var bad *rpc.Error
	result := outcomeOK
	switch {
	case errors.As(err, &bad), errors.Is(err, history.ErrEpoch):
		result = outcomeRefused
	default:
		result = resultOf(err)
	}
	m.searches.Record(took.Seconds(), result)
}

// fromRing counts a read of history that memory had.
func (m *metrics) fromRing() { m.reads.Add(1, sourceRing, outcomeOK) }

// fetchedKeys counts an attempt to fetch the keys of tokens.
func (m *metrics) fetchedKeys(err error) {
	result := outcomeOK
	if err != nil {
		result = outcomeFailed
	}
	m.keyFetches.Add(1, result)
}

// began counts a new incarnation, by what ended the one before; nil for the
// first.
func (m *metrics) began(before error) { m.incarnations.Add(1, EndReason(before)) }

// EndReason names, as the metric of incarnations does, what ended one of them;
// nil: there was none.
func EndReason(err error) string {
	var lost *lostPush
	var cut *lostPushes
	switch {
	case err == nil:
		return "start"
	case errors.As(err, &lost):
		return "lost_push"
	case errors.Is(err, errDown):
		return "declared_down"
	case errors.Is(err, errSilentLog):
		return "silent_log"
	case errors.As(err, &cut):
		return "pushes_cut"
	default:
		return "other"
	}
}

// delivered records the times of messages, in Unix milliseconds, that were
// handed to the sockets now.
func (m *metrics) delivered(said []int64, deliveries int) {
	m.deliveries.Add(deliveries)
	if len(said) == 0 {
		return
	}
	now := time.Now().UnixMilli()
	for _, at := range said {
		m.delivery.Record(float64(max(0, now-at)) / 1000)
	}
}
