package fold

import (
	"testing"

	"github.com/parley-chat/parley/schema"
)

const annSubscribes = "a@1.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 0 count 1 subscribed}"

// TestRulesOfFormat2 lists what each event means that came with format 2.
func TestRulesOfFormat2(t *testing.T) {
	structured := chat("a", 2, "c", "ann", "1", "")
	c := structured.GetChat()
	c.Info, c.Type, c.Data, c.Reply, c.Mentions, c.Origin, c.Key = []byte("{}"), "card", []byte("[1]"), 1, []string{"bob", "eve"}, schema.Origin_ORIGIN_BACKEND, "shop"
	for name, steps := range map[string][]ruleStep{
		"a message has all that it was sent with": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{structured, []string{"a@2.0<1.0: {c message ann/1/hi info {} type card data [1] reply 1 mentions [bob eve] origin 1 key shop prev 0}"}},
		},
		"edits and deletions are links of their own chain, private ones and reactions are not": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{chat("a", 2, "c", "ann", "1", ""), skip},
			{changeOf("edit", "a", 3, "c", "ann", "2", 2, ""), []string{`a@3.0<2.0: {c changed ann/2/2 of ann to "" moderator false edit new cprev 0}`}},
			{changeOf("react", "a", 4, "c", "bob", "3", 2, ""), []string{`a@4.0<3.0: {c reacted bob/3/2 of ann to "" +1 remove false}`}},
			{changeOf("delete", "a", 5, "c", "ann", "4", 9, "bob"), []string{`a@5.0<4.0: {c changed ann/4/9 of ann to "bob" moderator false delete for why cprev 3}`}},
			{changeOf("delete", "a", 6, "c", "ann", "5", 2, ""), []string{`a@6.0<5.0: {c changed ann/5/2 of ann to "" moderator false delete for why cprev 3}`}},
			{purgeOf("a", 7, "c", "eve", "6", 0), []string{`a@7.0<6.0: {c purged eve since 0 by key trust/6 for why cprev 6}`}},
			{chat("a", 8, "c", "ann", "7", ""), []string{"a@8.0<7.0: {c message ann/7/hi prev 2}"}},
			{join("a", 9, "c", "s2", "bob"), []string{"a@9.0<8.0: {c joined s2/bob/a first last 8 count 2 clast 7}"}},
		},
		"void acts are told by their offset, in snapshots too": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{chat("a", 2, "c", "ann", "1", ""), skip},
			{changeOf("edit", "a", 3, "c", "ann", "1", 2, ""), []string{"a@3.0<2.0: {c void change}"}},
			{setOf("a", 3, "c", "2", topic("x")), []string{"a@4.0<3.0: {c void change}"}},
			{watchOf("a", 3, "c"), nil},
			{join("b", 1, "c", "s2", "bob"), []string{
				"a@6.0<4.0: {c joined s2/bob/b first last 2 count 2}",
				"b@6.0<0.0: {c first users [ann bob] voids [3 4]} {c joined s2/bob/b first last 2 count 2 subscribed}",
			}},
			{sanctionOf(ban, "a", 3, "c", "bob", "3", 0), []string{"a@7.0<6.0: {c void change}", "b@7.0<6.0: {c void change}"}},
			{pinOf("a", 3, "nobody", "3", 1, false), nil},
		},
		"a kick ends what there is of the user, and binds nobody": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{join("a", 2, "c", "s2", "bob"), skip},
			{join("a", 3, "c", "s0", "bob"), skip},
			{join("b", 1, "c", "s3", "bob"), skip},
			{sanctionOf(kick, "a", 4, "c", "bob", "1", 0), []string{
				"a@5.0<4.0: {c sanctioned bob 3 until 0 by mod/1 for why amounts none} {c removed bob [s0 s2]/4 until 0 count 1 unsubscribed false}",
				"b@5.0<4.0: {c sanctioned bob 3 until 0 by mod/1 for why amounts none} {c removed bob [s3]/4 until 0 count 1 unsubscribed true}",
			}},
			{leave("b", 2, "c", "s3", "bob"), []string{
				"a@6.0<5.0: {c left s3/bob/1 count 1}",
				"b@6.0<5.0: {c left s3/bob/1 count 1}",
			}},
			{sanctionOf(kick, "a", 5, "c", "bob", "2", 0), []string{"a@7.0<6.0: {c sanctioned bob 3 until 0 by mod/2 for why amounts none}"}},
			{join("a", 6, "c", "s2", "bob"), []string{"a@8.0<7.0: {c joined s2/bob/a first last 0 count 2}"}},
		},
		"a banned user who joins again is a member that is not shown": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{join("b", 1, "c", "s2", "bob"), skip},
			{withPurge(1, at(5, sanctionOf(ban, "a", 2, "c", "bob", "1", 9))), []string{
				"a@3.0<2.0: {c sanctioned bob 2 until 9 by mod/1 for why amounts 1 of 1 and 0} {c purged bob since 1 by mod/1 for why cprev 0} {c removed bob []/5 until 9 count 1 unsubscribed false}",
				"b@3.0<2.0: {c sanctioned bob 2 until 9 by mod/1 for why amounts 1 of 1 and 0} {c purged bob since 1 by mod/1 for why cprev 0} {c removed bob [s2]/5 until 9 count 1 unsubscribed true}",
			}},
			{at(8, join("a", 3, "c", "s3", "bob")), []string{"a@4.0<3.0: {c joined s3/bob/a first last 0 count 2 clast 3 banned 3 until 9 by mod for why}"}},
			{at(8, join("b", 2, "c", "s4", "eve")), []string{
				"a@5.0<4.0: {c joined s4/eve/b first last 0 count 3 clast 3}",
				"b@5.0<3.0: {c first users [ann bob eve] voids [] clast 3 amounts 1 of 1 and 0} {c users [] voids [] banned [bob]} {c joined s4/eve/b first last 0 count 3 subscribed clast 3}",
			}},
			{at(9, join("a", 4, "c", "s3", "bob")), skip},
			{at(9, join("d", 1, "c", "s5", "abe")), []string{
				"a@7.0<6.0: {c joined s5/abe/d first last 0 count 4 clast 3}",
				"b@7.0<6.0: {c joined s5/abe/d first last 0 count 4 clast 3}",
				"d@7.0<0.0: {c first users [abe ann bob eve] voids [] clast 3 amounts 1 of 1 and 0} {c joined s5/abe/d first last 0 count 4 subscribed clast 3}",
			}},
		},
		"a join tells what is in force for its user": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{at(1, sanctionOf(mute, "a", 2, "c", "bob", "1", 0)), []string{"a@2.0<1.0: {c sanctioned bob 1 until 0 by mod/1 for why amounts 1 of 1 and 0}"}},
			{at(1, sanctionOf(ban, "a", 3, "c", "bob", "2", 5)), []string{"a@3.0<2.0: {c sanctioned bob 2 until 5 by mod/2 for why amounts 2 of 2 and 0}"}},
			{at(2, sanctionOf(mute, "a", 4, "d", "bob", "3", 5)), nil},
			{at(4, join("a", 5, "c", "s2", "bob")), []string{"a@5.0<3.0: {c joined s2/bob/a first last 0 count 2 mute 2 until 0 by mod for why banned 3 until 5 by mod for why}"}},
			{at(5, join("a", 6, "c", "s2", "bob")), []string{"a@6.0<5.0: {c joined s2/bob/a last 0 count 2 mute 2 until 0 by mod for why}"}},
			{at(4, sanctionOf(liftMute, "a", 7, "c", "bob", "4", 0)), []string{"a@7.0<6.0: {c sanctioned bob 5 until 0 by mod/4 for why amounts 1 of 2 and 0}"}},
			{at(4, join("a", 8, "c", "s2", "bob")), []string{"a@8.0<7.0: {c joined s2/bob/a last 0 count 2 banned 3 until 5 by mod for why}"}},
			{at(4, sanctionOf(liftBan, "a", 9, "c", "bob", "5", 0)), []string{"a@9.0<8.0: {c sanctioned bob 6 until 0 by mod/5 for why amounts 0 of 1 and 0}"}},
			{at(4, join("a", 10, "c", "s2", "bob")), []string{"a@10.0<9.0: {c joined s2/bob/a last 0 count 2}"}},
		},
		"what has ended goes when another sanction of the user comes": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{at(1, sanctionOf(mute, "a", 2, "c", "bob", "1", 5)), []string{"a@2.0<1.0: {c sanctioned bob 1 until 5 by mod/1 for why amounts 1 of 1 and 0}"}},
			{at(9, sanctionOf(ban, "a", 3, "c", "eve", "2", 0)), []string{"a@3.0<2.0: {c sanctioned eve 2 until 0 by mod/2 for why amounts 2 of 2 and 0}"}},
			{at(5, sanctionOf(kick, "a", 4, "c", "bob", "3", 0)), []string{"a@4.0<3.0: {c sanctioned bob 3 until 0 by mod/3 for why amounts 1 of 1 and 0}"}},
			{at(5, sanctionOf(lift, "a", 5, "c", "eve", "4", 0)), []string{"a@5.0<4.0: {c sanctioned eve 4 until 0 by mod/4 for why amounts none}"}},
		},
		"settings: what is absent stays, what is empty clears": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{at(7, setOf("a", 2, "c", "1", func(s *schema.Set) { s.Slow, s.Data = new(int64), []byte("{}"); *s.Slow = 30 })), []string{`a@2.0<1.0: {c settings 2/7 by mod slow 30 since 2 frozen false topic "" data "{}" pins [] amounts 0 of 0 and 1}`}},
			{at(6, setOf("a", 3, "c", "2", func(s *schema.Set) { s.Frozen = new(bool); *s.Frozen = true; topic("x")(s) })), []string{`a@3.0<2.0: {c settings 3/6 by mod slow 30 since 2 frozen true topic "x" data "{}" pins [] amounts 0 of 0 and 1}`}},
			{setOf("a", 4, "c", "3", func(s *schema.Set) { s.Data, s.Slow = []byte{}, new(int64) }), []string{`a@4.0<3.0: {c settings 4/0 by mod slow 0 since 4 frozen true topic "x" data "" pins [] amounts 0 of 0 and 1}`}},
			{join("b", 1, "c", "s2", "bob"), []string{
				"a@5.0<4.0: {c joined s2/bob/b first last 0 count 2}",
				`b@5.0<0.0: {c first users [ann bob] voids [] settings 4/0 by mod slow 0 since 4 frozen true topic "x" data "" pins [] amounts 0 of 0 and 1} {c joined s2/bob/b first last 0 count 2 subscribed}`,
			}},
			{setOf("a", 5, "d", "3", topic("")), nil},
			{pinOf("a", 6, "c", "4", 3, false), []string{
				`a@7.0<5.0: {c settings 7/0 by mod slow 0 since 4 frozen true topic "x" data "" pins [3] amounts 0 of 0 and 2}`,
				`b@7.0<5.0: {c settings 7/0 by mod slow 0 since 4 frozen true topic "x" data "" pins [3] amounts 0 of 0 and 2}`,
			}},
		},
		"slow mode begins with the setting that changed it": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{setOf("a", 2, "c", "1", slow(30)), []string{`a@2.0<1.0: {c settings 2/0 by mod slow 30 since 2 frozen false topic "" data "" pins [] amounts 0 of 0 and 1}`}},
			{setOf("a", 3, "c", "2", slow(30)), []string{`a@3.0<2.0: {c settings 3/0 by mod slow 30 since 2 frozen false topic "" data "" pins [] amounts 0 of 0 and 1}`}},
			{pinOf("a", 4, "c", "3", 1, false), []string{`a@4.0<3.0: {c settings 4/0 by mod slow 30 since 2 frozen false topic "" data "" pins [1] amounts 0 of 0 and 1}`}},
			{join("b", 1, "c", "s2", "bob"), []string{
				"a@5.0<4.0: {c joined s2/bob/b first last 0 count 2}",
				`b@5.0<0.0: {c first users [ann bob] voids [] settings 4/0 by mod slow 30 since 2 frozen false topic "" data "" pins [1] amounts 0 of 0 and 1} {c joined s2/bob/b first last 0 count 2 subscribed}`,
			}},
			{setOf("a", 5, "c", "4", slow(20)), []string{
				`a@6.0<5.0: {c settings 6/0 by mod slow 20 since 6 frozen false topic "" data "" pins [1] amounts 0 of 0 and 1}`,
				`b@6.0<5.0: {c settings 6/0 by mod slow 20 since 6 frozen false topic "" data "" pins [1] amounts 0 of 0 and 1}`,
			}},
		},
		"pins: the newest first, one again is the newest": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{pinOf("a", 2, "c", "1", 1, false), skip},
			{pinOf("a", 3, "c", "2", 2, false), skip},
			{pinOf("a", 4, "c", "3", 3, false), []string{`a@4.0<3.0: {c settings 4/0 by mod slow 0 since 0 frozen false topic "" data "" pins [3 2 1] amounts 0 of 0 and 1}`}},
			{pinOf("a", 5, "c", "4", 1, false), []string{`a@5.0<4.0: {c settings 5/0 by mod slow 0 since 0 frozen false topic "" data "" pins [1 3 2] amounts 0 of 0 and 1}`}},
			{pinOf("a", 6, "c", "5", 3, true), []string{`a@6.0<5.0: {c settings 6/0 by mod slow 0 since 0 frozen false topic "" data "" pins [1 2] amounts 0 of 0 and 1}`}},
			{pinOf("a", 7, "c", "6", 9, true), []string{`a@7.0<6.0: {c settings 7/0 by mod slow 0 since 0 frozen false topic "" data "" pins [1 2] amounts 0 of 0 and 1}`}},
		},
		"a watch subscribes without a member": {
			{chat("a", 1, "c", "ann", "1", ""), nil},
			{watchOf("b", 1, "c"), []string{"b@2.0<0.0: {c first users [] voids []} {c watched last 1 count 0 clast 0 subscribed true}"}},
			{watchOf("b", 2, "c"), []string{"b@3.0<2.0: {c watched last 1 count 0 clast 0 subscribed false}"}},
			{chat("a", 2, "c", "ann", "2", ""), []string{"b@4.0<3.0: {c message ann/2/hi prev 1}"}},
			{join("a", 3, "c", "s1", "ann"), []string{
				"a@5.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 4 count 1 subscribed}",
				"b@5.0<4.0: {c joined s1/ann/a first last 4 count 1}",
			}},
			{join("b", 3, "c", "s2", "bob"), []string{
				"a@6.0<5.0: {c joined s2/bob/b first last 4 count 2}",
				"b@6.0<5.0: {c joined s2/bob/b first last 4 count 2}",
			}},
			{unwatchOf("b", 4, "c"), []string{"b@7.0<6.0: {c unwatched unsubscribed false}"}},
			{watchOf("b", 5, "c"), []string{"b@8.0<7.0: {c watched last 4 count 2 clast 0 subscribed false}"}},
			{leave("b", 6, "c", "s2", "bob"), []string{
				"a@9.0<6.0: {c left s2/bob/1 gone count 1}",
				"b@9.0<8.0: {c left s2/bob/1 gone count 1}",
			}},
			{unwatchOf("b", 7, "c"), []string{"b@10.0<9.0: {c unwatched unsubscribed true}"}},
			{unwatchOf("b", 8, "c"), []string{"b@11.0<10.0: {c unwatched unsubscribed false}"}},
			{unwatchOf("z", 1, "c"), nil},
		},
		"a down ends watches, and is shown where there were members": {
			{join("a", 1, "c", "s1", "ann"), []string{annSubscribes}},
			{watchOf("b", 1, "c"), skip},
			{watchOf("b", 2, "d"), skip},
			{down("b"), []string{"b@4.0<3.0: {ended}"}},
			{watchOf("b", 3, "c"), []string{"b@5.0<0.0: {ended}"}},
			{chat("a", 2, "c", "ann", "1", ""), []string{"a@6.0<1.0: {c message ann/1/hi prev 0}"}},
		},
		"info is that of the newest join, until the user is gone": {
			{joinInfo("a", 1, "c", "s1", "ann", `"1"`), []string{`a@1.0<0.0: {c first users [ann] voids [] infos ["\"1\""]} {c joined s1/ann/a first last 0 count 1 subscribed info "1"}`}},
			{joinInfo("a", 2, "c", "s2", "ann", `"2"`), []string{`a@2.0<1.0: {c joined s2/ann/a last 0 count 1 info "2"}`}},
			{leave("a", 3, "c", "s2", "ann"), skip},
			{join("b", 1, "c", "s3", "bob"), []string{
				"a@4.0<3.0: {c joined s3/bob/b first last 0 count 2}",
				`b@4.0<0.0: {c first users [ann bob] voids [] infos ["\"2\"" ""]} {c joined s3/bob/b first last 0 count 2 subscribed}`,
			}},
			{joinInfo("a", 4, "c", "s1", "ann", ""), skip},
			{join("d", 1, "c", "s4", "dan"), []string{
				"a@6.0<5.0: {c joined s4/dan/d first last 0 count 3}",
				"b@6.0<5.0: {c joined s4/dan/d first last 0 count 3}",
				"d@6.0<0.0: {c first users [ann bob dan] voids []} {c joined s4/dan/d first last 0 count 3 subscribed}",
			}},
		},
	} {
		t.Run(name, func(t *testing.T) { follow(t, steps) })
	}
}

// A kick and a down forget the info of a user, and what has no state is
// forgotten.
func TestNothingIsLeftOfAChannel(t *testing.T) {
	f := follow(t, []ruleStep{
		{joinInfo("a", 1, "c", "s1", "ann", "1"), skip},
		{sanctionOf(kick, "a", 2, "c", "ann", "1", 0), skip},
		{joinInfo("a", 3, "c", "s1", "ann", "1"), skip},
		{watchOf("a", 4, "c"), skip},
		{sanctionOf(mute, "a", 5, "c", "ann", "2", 0), skip},
		{down("a"), skip},
		{sanctionOf(lift, "b", 1, "c", "ann", "3", 0), skip},
		{sanctionOf(lift, "b", 2, "c", "ann", "4", 0), skip},
	})
	if len(f.channels) > 0 || len(f.connectors) > 0 || f.sanctions != 0 {
		t.Errorf("%d channels, %d connectors, %d sanctions are left", len(f.channels), len(f.connectors), f.sanctions)
	}
}

// One pin more than there may be drops the oldest.
func TestTheNewestPinsStay(t *testing.T) {
	var steps []ruleStep
	for i := range uint64(schema.MaxPins + 1) {
		steps = append(steps, ruleStep{pinOf("a", i+1, "c", "i", int64(i+1), false), skip})
		steps[i].event.GetPin().Id += string(rune('A' + i))
	}
	pins := follow(t, steps).channels["c"].allSettings().Pins
	if len(pins) != schema.MaxPins || pins[0] != schema.MaxPins+1 || pins[len(pins)-1] != 2 {
		t.Errorf("pins %v", pins)
	}
}
