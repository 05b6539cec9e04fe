package chaos

import "github.com/parley-chat/parley/tests/checker"

// plantedBugs are in every role. A piece of source that has changed fails its
// test: then the bug moves with it.
var plantedBugs = []planted{
	{
		"a message is acknowledged and dropped", "connector/act.go",
		"	err := a.session.inc.events.publish(p.partition, p.name, a.Event,",
		`	if id := idOf(a.Event); id[len(id)-1] == 'Z' {
		a.result(rpc.ActResult{ID: id, Seq: 1, Time: a.Event.Time})
		return nil
	}
	err := a.session.inc.events.publish(p.partition, p.name, a.Event,`,
		[]checker.Rule{checker.Durable},
	},
	{
		"a private message is logged", "connector/act.go",
		"	err := a.session.inc.events.publish(p.partition, p.name, a.Event,",
		`	a.session.inc.logger.Info("chat", "body", a.Event.GetChat().GetBody())
	err := a.session.inc.events.publish(p.partition, p.name, a.Event,`,
		[]checker.Rule{checker.Private},
	},
	{
		"some messages are not pushed", "connector/room/channel.go",
		"			f.lay(true, push)\n",
		"			if p.Offset%20 != 0 {\n				f.lay(true, push)\n			}\n",
		[]checker.Rule{checker.Complete, checker.Seam},
	},
	{
		"some messages are pushed twice", "connector/room/channel.go",
		"			f.lay(true, push)\n",
		"			f.lay(true, push)\n			if p.Offset%20 == 0 {\n				f.lay(true, push)\n			}\n",
		[]checker.Rule{checker.Idempotent},
	},
	{
		"private messages reach everybody", "connector/room/backlog.go",
		`return d.to == "" || d.to == m.User`, `return d.message || d.to == "" || d.to == m.User`,
		[]checker.Rule{checker.Private},
	},
	{
		"who has left is still pushed to", "connector/leave.go",
		"	if ch != nil {\n		ch.detach(p)", "	if ch != nil && op.leave == nil {\n		ch.detach(p)",
		[]checker.Rule{checker.Private},
	},
	{
		"the newest messages are left out of a join's result", "connector/recall.go",
		"End: v.Seq + 1, ", "End: v.Seq - 5, ",
		[]checker.Rule{checker.Seam, checker.Recovery},
	},
	{
		"a recovery is silently partial", "connector/recall.go",
		"ch.Missed(s, *j.since, l.Recover)", "ch.Missed(s, *j.since+30, l.Recover)",
		[]checker.Rule{checker.Recovery},
	},
	{
		"a page of the ring has holes", "connector/room/ring.go",
		"e.seq < seq && e.visibleTo(s.User)", "e.seq < seq && e.seq%16 != 3 && e.visibleTo(s.User)",
		[]checker.Rule{checker.Seam},
	},
	{
		"who is gone never leaves", "connector/leave.go",
		"case op == nil || op.join:\n		_ = p.publishLeave(s.reason)\n", "case op == nil || op.join:\n",
		[]checker.Rule{checker.Ghost},
	},
	{
		"who is cut off leaves at once", "connector/housekeeping.go",
		"now.Add(cutGrace)", "now",
		[]checker.Rule{checker.Flicker},
	},
	{
		"a lease is over after one tick", "chatworker/lease/lease.go",
		"SilentTicks = schema.LeaseTicks", "SilentTicks = schema.LeaseTicks - 7",
		[]checker.Rule{checker.Evicted},
	},
	{
		"the chain skips a message", "internal/fold/step.go",
		"	if !void && c.To == \"\" {\n", "	if !void && c.To == \"\" && s.offset%10 != 0 {\n",
		[]checker.Rule{checker.Complete},
	},
	{
		"a join is not announced to others", "internal/fold/step.go",
		"	for _, sub := range ch.subs {\n		if subscribed && sub.connector == m.connector {",
		"	for _, sub := range ch.subs {\n		if sub.connector != m.connector {\n			continue\n		}\n		if subscribed && sub.connector == m.connector {",
		[]checker.Rule{checker.Fold},
	},
	{
		"nothing is void", "schema/void.go",
		"	if s.by != nil || s.down != \"\" {\n", "	if void = false; s.by != nil || s.down != \"\" {\n",
		[]checker.Rule{checker.Idempotent, checker.Fold, checker.Projection},
	},
	{
		"some rows are not written", "projector/rowbuilder.go",
		"		f.out.rows = append(f.out.rows, r)\n", "		if rec.Offset%20 != 7 {\n			f.out.rows = append(f.out.rows, r)\n		}\n",
		[]checker.Rule{checker.Projection},
	},
	{
		"a change is lost on recovery", "connector/room/forward.go",
		"	w.page.Changes = append(w.page.Changes, shown)\n", "	if r.Seq%3 != 0 {\n		w.page.Changes = append(w.page.Changes, shown)\n	}\n",
		[]checker.Rule{checker.Recovery, checker.Changes},
	},
	{
		"a void edit wins", "schema/void.go",
		"		void = void || repeated\n", "		void = void || repeated && e.GetChange() == nil\n",
		[]checker.Rule{checker.Idempotent, checker.Fold, checker.Projection},
	},
	{
		"a page is as of before a change", "connector/room/fate.go",
		"	e.fate.stale = true\n", "	e.fate.stale = c.Seq%4 != 0\n",
		[]checker.Rule{checker.Changes},
	},
	{
		"a late page undoes a deletion", "connector/page.go",
		"Asof: found.Asof, Seq:", "Asof: found.Asof + 50, Seq:",
		[]checker.Rule{checker.Changes, checker.Genuine},
	},
	{
		"a private change is leaked", "connector/room/acts.go",
		"c.tell(of.Author, of.To, rpc.PushChanged,", "c.tell(\"\", \"\", rpc.PushChanged,",
		[]checker.Rule{checker.Private},
	},
	{
		"a link of the chain of changes is skipped", "internal/fold/change.go",
		"	ch.clast = s.offset\n", "	if s.offset%5 != 0 {\n		ch.clast = s.offset\n	}\n",
		[]checker.Rule{checker.Complete},
	},
	{
		"the range of a purge is off by one", "schema/changes/changes.go",
		"m.Seq >= p.Since && m.Seq < seq", "m.Seq > p.Since && m.Seq < seq",
		[]checker.Rule{checker.Changes},
	},
	{
		"a reaction is counted twice", "schema/changes/reactions.go",
		"		n.count++\n", "		if n.count++; seq%3 == 0 {\n			n.count++\n		}\n",
		[]checker.Rule{checker.Changes},
	},
	{
		"who is put out stays", "connector/stream.go",
		"	s.remove(ch, p, u.GetRemoved())\n", "",
		[]checker.Rule{checker.Private, checker.Sanctions},
	},
	{
		"nobody says that one is out", "connector/removal.go",
		"		p.session.front.Push(rpc.PushRemoved, push)\n", "		_ = push\n",
		[]checker.Rule{checker.Sanctions},
	},
	{
		"a banned user is shown", "connector/room/channel.go",
		"	if j.Banned == nil {\n", "	if true {\n",
		[]checker.Rule{checker.Genuine, checker.Members},
	},
	{
		"a banned user comes in", "connector/join.go",
		"	case joined.Banned != nil:\n", "	case joined.Banned != nil && joined.Session == \"\":\n",
		[]checker.Rule{checker.Bound},
	},
	{
		"sanctions are told to everybody", "connector/room/backlog.go",
		"d.moderators && m.Moderates.Load()", "d.moderators",
		[]checker.Rule{checker.Private},
	},
	{
		"a mute binds nobody", "connector/enforce.go",
		"ch.MuteOf(s.user, s.inc.now()); muted {", "ch.MuteOf(s.user, s.inc.now()); muted && mute.Seq < 0 {",
		[]checker.Rule{checker.Bound},
	},
	{
		"a ban does not purge", "internal/fold/sanction.go",
		"	if e.PurgeSince != nil {\n", "	if e.PurgeSince != nil && *e.PurgeSince < 0 {\n",
		[]checker.Rule{checker.Fold},
	},
	{
		"a row of a sanction has no end", "projector/act.go",
		"until: s.Until,", "until: 0,",
		[]checker.Rule{checker.Projection},
	},
}
