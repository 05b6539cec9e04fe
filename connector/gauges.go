package connector

import (
	"time"

	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/internal/rules"
)

// gauges begins to show what there is in the connector, whenever somebody
// asks, until stop is called.
func (c *Connector) gauges() (stop func()) {
	g := meter.New(c.cfg.Meters).Gauges()
	g.Add("parley.connector.connections.limit", "{connection}", "Open WebSockets that the connector admits.",
		func() (float64, bool) { return float64(c.cfg.MaxConnections), true })
	g.Add("parley.connector.connections.silent", "{connection}", "Open WebSockets that have not sent hello yet.",
		func() (float64, bool) { return float64(c.edge.Counts().Silent), true })
	g.Add("parley.connector.connections.plain", "{connection}", "Open connections that are not WebSockets.",
		func() (float64, bool) { return float64(c.server.Plain() + c.pomelo.plain()), true })
	g.Add("parley.connector.sessions", "{session}", "Sessions, those whose connection is gone and whose leaves have not passed yet included.",
		c.ask(func(inc *incarnation) float64 { return float64(inc.sessions.count()) }))
	g.AddBy("parley.connector.protocol.sessions", "{session}", "Sessions, by the protocol of the client: jsonrpc, as documented, or pomelo.", "protocol",
		func(yield func(string, float64)) {
			if inc := c.current.Load(); inc != nil {
				for protocol, n := range inc.sessions.protocols() {
					yield(protocol, float64(n))
				}
			}
		})
	g.Add("parley.connector.channels", "{channel}", "Channels that have members here.",
		c.ask(func(inc *incarnation) float64 { return float64(inc.channels.count()) }))
	g.Add("parley.connector.queue", "By", "Bytes that wait in the queues of all sockets for clients to read them.",
		c.ask(func(inc *incarnation) float64 { sum, _ := inc.sessions.queued(); return float64(sum) }))
	g.Add("parley.connector.queue.largest", "By", "Bytes in the longest queue of a socket. At the limit its client is closed as a slow consumer.",
		c.ask(func(inc *incarnation) float64 { _, largest := inc.sessions.queued(); return float64(largest) }))
	g.Add("parley.connector.queue.held", "By", "Bytes that the queues of clients who read slowly hold together; a frame that waits in many of them counts once.",
		c.ask(func(inc *incarnation) float64 { return float64(inc.shared.Queues.Held()) }))
	g.Add("parley.connector.queue.limit", "By", "Bytes that the queues may hold together. At the limit the longest is closed.",
		func() (float64, bool) { return float64(c.cfg.MaxQueued), c.cfg.MaxQueued != anyNumber })
	g.Add("parley.connector.ack.age", "s", "Time for which the log has owed an acknowledgement, of an event or of the beat that is due each second. After 30 s the connector starts again.",
		c.ask(func(inc *incarnation) float64 { return inc.owed(time.Now()).Seconds() }))
	g.Add("parley.connector.certificate.expires", "s", "Unix time at which the certificate of --tls-cert that is served expires.",
		c.ofCertificate(c.cfg.Certificate.Expires))
	g.Add("parley.connector.certificate.due", "s", "Unix time at which that certificate should have been renewed at the latest: two weeks, or a sixth of its time, before it expires.",
		c.ofCertificate(c.cfg.Certificate.Due))
	rules.Gauges(g, func() *rules.Table { return c.rules.table })
	return g.Start()
}

// ask reads the incarnation that lives now.
func (c *Connector) ask(read func(*incarnation) float64) func() (float64, bool) {
	return func() (float64, bool) {
		if inc := c.current.Load(); inc != nil {
			return read(inc), true
		}
		return 0, false
	}
}

// owed is for how long the log has acknowledged nothing although it should.
func (inc *incarnation) owed(now time.Time) time.Duration {
	owed := now.Sub(inc.heart.lastAck()) - beatEvery
	if oldest, n := inc.events.producer.Unacked(); n > 0 {
		owed = max(owed, now.Sub(oldest))
	}
	return max(0, owed)
}
