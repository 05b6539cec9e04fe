package fold

import (
	"slices"

	"github.com/parley-chat/parley/schema"
)

// set changes settings of a channel.
func (s *step) set(e *schema.Set) {
	ch := s.fold.channel(e.Channel)
	m := s.fold.settle(ch)
	is := m.settings
	if is == nil {
		is = &schema.StateSettings{}
	}
	m.settings = changedBy(is, e, s)
	s.fold.dirty.settings[ch.name] = struct{}{}
	s.showSettings(ch)
}

// changedBy returns new settings: the old ones may be in a push.
func changedBy(is *schema.StateSettings, e *schema.Set, s *step) *schema.StateSettings {
	now := &schema.StateSettings{
		Seq: s.offset, Time: s.time, By: authorOf(e.By).proto(),
		Slow: is.Slow, SlowSince: is.SlowSince, Frozen: is.Frozen, Topic: is.Topic, Data: is.Data,
	}
	if e.Slow != nil && *e.Slow != is.Slow {
		now.Slow, now.SlowSince = *e.Slow, s.offset
	}
	if e.Frozen != nil {
		now.Frozen = *e.Frozen
	}
	if e.Topic != nil {
		now.Topic = *e.Topic
	}
	if e.Data != nil {
		now.Data = e.Data
	}
	return now
}

// pin puts a message before the others that are pinned, or takes it away. One more
// than there may be drops the oldest.
//
// To apply it to a state from the future, after a torn flush, would drop one that has
// to stay.
func (s *step) pin(e *schema.Pin) {
	ch := s.fold.channel(e.Channel)
	m := s.fold.settle(ch)
	is := m.pins
	if is == nil {
		is = &schema.StatePins{}
	}
	if is.Seq < s.offset {
		now := &schema.StatePins{Seq: s.offset, Time: s.time, By: authorOf(e.By).proto()}
		if !e.Remove {
			now.Targets = append(now.Targets, e.Target)
		}
		for _, target := range is.Targets {
			if target != e.Target && len(now.Targets) < s.fold.pins {
				now.Targets = append(now.Targets, target)
			}
		}
		m.pins = now
		s.fold.dirty.pins[ch.name] = struct{}{}
	}
	s.showSettings(ch)
}

// settle returns what few channels have of one that is about to have settings or
// pins.
func (f *Fold) settle(ch *channel) *more {
	m := ch.extra()
	if m.settings == nil && m.pins == nil {
		f.settings++
	}
	return m
}

func (s *step) showSettings(ch *channel) {
	all := ch.allSettings()
	all.Amounts = s.fold.amounts(ch)
	s.show(ch, &schema.Update{Channel: ch.name, Kind: &schema.Update_Settings{Settings: all}})
}

// allSettings are the settings and the pins of a channel; nil: it has none.
func (c *channel) allSettings() *schema.Settings {
	if c.more == nil || c.more.settings == nil && c.more.pins == nil {
		return nil
	}
	is, pins := c.more.settings, c.more.pins
	all := &schema.Settings{
		Seq: is.GetSeq(), Time: is.GetTime(), By: is.GetBy(),
		Slow: is.GetSlow(), SlowSince: is.GetSlowSince(), Frozen: is.GetFrozen(), Topic: is.GetTopic(), Data: is.GetData(),
		Pins: slices.Clone(pins.GetTargets()),
	}
	if pins.GetSeq() > all.Seq {
		all.Seq, all.Time, all.By = pins.Seq, pins.Time, pins.By
	}
	return all
}
