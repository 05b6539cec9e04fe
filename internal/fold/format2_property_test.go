package fold

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

// drawFormat2 draws an event of the kinds, or with the fields, of format 2.
func drawFormat2(t *rapid.T, connector string, n uint64, channel, session, member, user, id string) *schema.Event {
	number := func(name string) int64 { return rapid.Int64Range(0, 9).Draw(t, name) }
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	var e *schema.Event
	switch rapid.IntRange(0, 14).Draw(t, "kind of format 2") {
	case 0, 1, 2:
		info := rapid.SampledFrom([]string{"", "1", `{"name":"a long one"}`}).Draw(t, "info")
		e = joinInfo(connector, n, channel, session, member, info)
	case 3:
		to := rapid.SampledFrom([]string{"", "bob"}).Draw(t, "to")
		act := rapid.SampledFrom([]string{"edit", "delete", "react", "unreact"}).Draw(t, "act")
		e = changeOf(act, connector, n, channel, user, id, number("target")+1, to)
	case 4, 5, 6, 7:
		action := rapid.SampledFrom([]schema.Sanction_Action{mute, ban, kick, lift, liftMute, liftBan}).Draw(t, "action")
		e = sanctionOf(action, connector, n, channel, user, id, number("until"))
		if rapid.IntRange(0, 3).Draw(t, "with purge") == 0 {
			withPurge(number("since"), e)
		}
	case 8:
		e = purgeOf(connector, n, channel, user, id, number("since"))
	case 9:
		e = setOf(connector, n, channel, id, func(s *schema.Set) {
			if flag("has slow") {
				s.Slow = new(int64)
				*s.Slow = number("slow")
			}
			if flag("has frozen") {
				s.Frozen = new(bool)
				*s.Frozen = flag("frozen")
			}
			if flag("has topic") {
				topic(rapid.SampledFrom([]string{"", "x"}).Draw(t, "topic"))(s)
			}
			if flag("has data") {
				s.Data = []byte(rapid.SampledFrom([]string{"", "{}"}).Draw(t, "data"))
			}
		})
	case 10, 11:
		e = pinOf(connector, n, channel, id, number("target")%4+1, rapid.IntRange(0, 2).Draw(t, "remove") == 0)
	case 12, 13:
		e = watchOf(connector, n, channel)
	default:
		e = unwatchOf(connector, n, channel)
	}
	return at(number("time"), e)
}

// markMore makes all that few channels have dirty.
func (f *Fold) markMore(ch *channel) {
	for _, sub := range ch.subs {
		if sub.watch > 0 {
			f.dirty.watch(sub.connector.id, ch.name)
		}
	}
	if ch.more == nil {
		return
	}
	for user := range ch.more.infos {
		f.dirty.info(ch.name, user)
	}
	for user := range ch.more.sanctions {
		f.dirty.sanction(ch.name, user)
	}
	if ch.more.settings != nil {
		f.dirty.settings[ch.name] = struct{}{}
	}
	if ch.more.pins != nil {
		f.dirty.pins[ch.name] = struct{}{}
	}
}

func (r *replica) inform(user string, info []byte) {
	if r.infos[user] = string(info); len(info) == 0 {
		delete(r.infos, user)
	}
}

func (r *replica) gone(user string) {
	delete(r.users, user)
	delete(r.infos, user)
}

// updateFormat2 takes the updates that came with format 2.
func (r *receiver) updateFormat2(t *rapid.T, offset int64, ch *replica, u *schema.Update) {
	cprev := int64(-1)
	switch k := u.Kind.(type) {
	case *schema.Update_Changed:
		if k.Changed.To == "" {
			cprev = k.Changed.Cprev
		} else if k.Changed.Cprev != ch.clast {
			t.Fatalf("%s follows %d", showUpdate(u), ch.clast)
		}
	case *schema.Update_Purged:
		cprev = k.Purged.Cprev
	case *schema.Update_Removed:
		ch.gone(k.Removed.User)
		for _, session := range k.Removed.Sessions {
			if !ch.sessions[session] {
				t.Fatalf("%s: the session is not there", showUpdate(u))
			}
			delete(ch.sessions, session)
		}
		if ch.count = k.Removed.Count; k.Removed.Unsubscribed {
			delete(r.channels, u.Channel)
		}
	case *schema.Update_Settings:
		ch.settings = proto.CloneOf(k.Settings)
		ch.settings.Amounts = nil
	case *schema.Update_Watched:
		ch.watched, ch.count, ch.last, ch.clast = true, k.Watched.Count, k.Watched.Last, k.Watched.Clast
	case *schema.Update_Unwatched:
		if ch.watched = false; k.Unwatched.Unsubscribed {
			delete(r.channels, u.Channel)
		}
	}
	if cprev >= 0 {
		if cprev != ch.clast {
			t.Fatalf("%s follows %d", showUpdate(u), ch.clast)
		}
		ch.clast = offset
	}
}

// holdsFormat2 compares the rest of a replica with the fold.
func (r *replica) holdsFormat2(t *rapid.T, name, connector string, ch *channel) {
	infos := map[string]string{}
	if ch.more != nil {
		for user, info := range ch.more.infos {
			infos[user] = string(info)
		}
	}
	i, _ := slices.BinarySearchFunc(ch.subs, connector, func(s subscription, id string) int { return bytes.Compare([]byte(s.connector.id), []byte(id)) })
	if r.clast != ch.clast || r.watched != (ch.subs[i].watch > 0) || !maps.Equal(r.infos, infos) || !proto.Equal(r.settings, ch.allSettings()) {
		t.Fatalf("%s knows of %s %+v, the fold clast %d, infos %v, settings %v", connector, name, r, ch.clast, infos, ch.allSettings())
	}
}

// model is a partition as docs/events.md tells it, with no thought of speed: each
// answer is looked up in all events that are not void.
type model struct{ events []modelled }

type modelled struct {
	offset int64
	*schema.Event
}

// members are the sessions of a channel: session to user, connector.
func (m *model) members(channel string) map[string][2]string {
	all := map[string][2]string{}
	for _, e := range m.events {
		if j := e.GetJoin(); j != nil && j.Channel == channel {
			if _, known := all[j.Session]; !known {
				all[j.Session] = [2]string{j.User, e.Connector}
			}
		}
		if l := e.GetLeave(); l != nil && l.Channel == channel {
			delete(all, l.Session)
		}
		s := e.GetSanction()
		out := s != nil && s.Channel == channel && (s.Action == kick || s.Action == ban)
		for session, of := range all {
			if out && of[0] == s.User || e.GetDown() != nil && of[1] == e.GetDown().Connector {
				delete(all, session)
			}
		}
	}
	return all
}

// infos are those of users who are in the channel, by their newest join.
func (m *model) infos(channel string) map[string]string {
	sessions := map[string]string{}
	for session, of := range m.members(channel) {
		sessions[session] = of[0]
	}
	all := map[string]string{}
	for _, user := range sessions {
		for i := range m.events {
			j := m.events[i].GetJoin()
			if j == nil || j.Channel != channel {
				continue
			}
			if j.User == user {
				all[user] = string(j.Info)
			}
		}
	}
	maps.DeleteFunc(all, func(_, info string) bool { return info == "" })
	return all
}

func (m *model) watchers(channel string) map[string]bool {
	all := map[string]bool{}
	for _, e := range m.events {
		if w := e.GetWatch(); w != nil && w.Channel == channel {
			all[w.Connector] = true
		}
		if w := e.GetUnwatch(); w != nil && w.Channel == channel {
			delete(all, w.Connector)
		}
		delete(all, e.GetDown().GetConnector())
	}
	return all
}

// chains are the newest public message and the newest public change.
func (m *model) chains(channel string) (last, clast int64) {
	for _, e := range m.events {
		if e.Channel() != channel {
			continue
		}
		if c := e.GetChat(); c != nil && c.To == "" {
			last = e.offset
		}
		c, s := e.GetChange(), e.GetSanction()
		if c != nil && c.To == "" && c.GetReact() == nil || e.GetPurge() != nil || s != nil && s.PurgeSince != nil {
			clast = e.offset
		}
	}
	return last, clast
}

// sanctions are the offsets of the mutes and bans that nobody lifted.
func (m *model) sanctions(channel string) []string {
	var all []string
	for i, e := range m.events {
		s := e.GetSanction()
		if s == nil || s.Channel != channel || s.Action != mute && s.Action != ban {
			continue
		}
		over := false
		for _, later := range m.events[i+1:] {
			l := later.GetSanction()
			if l == nil || l.Channel != channel || l.User != s.User {
				continue
			}
			ended := s.Until != 0 && s.Until <= later.Time
			lifted := l.Action == lift || s.Action == mute && l.Action == liftMute || s.Action == ban && l.Action == liftBan
			over = over || ended || lifted || l.Action == s.Action
		}
		if !over {
			all = append(all, fmt.Sprintf("%s %d at %d until %d", s.User, s.Action, e.offset, s.Until))
		}
	}
	slices.Sort(all)
	return all
}

// settings are told field by field, the pins from the first on.
func (m *model) settings(channel string, pins int) *schema.Settings {
	var all *schema.Settings
	for _, e := range m.events {
		if e.Channel() != channel || e.GetSet() == nil && e.GetPin() == nil {
			continue
		}
		if all == nil {
			all = &schema.Settings{}
		}
		all.Seq, all.Time, all.By = e.offset, e.Time, user("mod")
		if s := e.GetSet(); s != nil {
			if s.Slow != nil && *s.Slow != all.Slow {
				all.Slow, all.SlowSince = *s.Slow, e.offset
			}
			if s.Frozen != nil {
				all.Frozen = *s.Frozen
			}
			if s.Topic != nil {
				all.Topic = *s.Topic
			}
			if s.Data != nil {
				all.Data = s.Data
			}
			continue
		}
		p := e.GetPin()
		all.Pins = slices.DeleteFunc(all.Pins, func(target int64) bool { return target == p.Target })
		if !p.Remove {
			all.Pins = slices.Insert(all.Pins, 0, p.Target)
		}
		all.Pins = all.Pins[:min(len(all.Pins), pins)]
	}
	return all
}

// The fold is what docs/events.md says.
func TestFoldIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m, window := newSmall(), &model{}, schema.NewVoidWindow(testWindow)
		for i, e := range drawLog(t) {
			apply(t, f, int64(i), e)
			if !window.Judge(int64(i), e) {
				m.events = append(m.events, modelled{int64(i), e})
			}
		}
		all := int64(0)
		for _, name := range []string{"c", "d"} {
			ch := f.channels[name]
			if ch == nil {
				ch = &channel{}
			}
			all += compareModel(t, f, ch, m, name)
		}
		if f.sanctions != all {
			t.Fatalf("%d sanctions, want %d", f.sanctions, all)
		}
	})
}

// compareModel returns how many sanctions the channel has.
func compareModel(t *rapid.T, f *Fold, ch *channel, m *model, name string) int64 {
	members, infos, watchers := map[string][2]string{}, map[string]string{}, map[string]bool{}
	for session, is := range ch.members {
		members[session] = [2]string{is.user, is.connector.id}
	}
	for _, sub := range ch.subs {
		if sub.watch > 0 {
			watchers[sub.connector.id] = true
		}
	}
	var sanctions []string
	if ch.more != nil {
		for user, info := range ch.more.infos {
			infos[user] = string(info)
		}
		for user, is := range ch.more.sanctions {
			for action, r := range map[schema.Sanction_Action]*restriction{mute: is.mute, ban: is.ban} {
				if r != nil {
					sanctions = append(sanctions, fmt.Sprintf("%s %d at %d until %d", user, action, r.seq, r.until))
				}
			}
		}
	}
	slices.Sort(sanctions)
	check := func(what string, same bool, got, want any) {
		if !same {
			t.Fatalf("%s of %s: %v, want %v", what, name, got, want)
		}
	}
	last, clast := m.chains(name)
	settings := m.settings(name, f.pins)
	check("members", maps.Equal(members, m.members(name)), members, m.members(name))
	check("infos", maps.Equal(infos, m.infos(name)), infos, m.infos(name))
	check("watchers", maps.Equal(watchers, m.watchers(name)), watchers, m.watchers(name))
	check("sanctions", slices.Equal(sanctions, m.sanctions(name)), sanctions, m.sanctions(name))
	check("settings", proto.Equal(ch.allSettings(), settings), ch.allSettings(), settings)
	check("last", ch.last == last && ch.clast == clast, [2]int64{ch.last, ch.clast}, [2]int64{last, clast})
	return int64(len(sanctions))
}
