package main

import (
	"bytes"
	"time"
)

// wire is a protocol, as far as chats of members who have entered take it.
type wire struct {
	// chat writes a chat whose body begins with the time it was sent.
	chat func(r *raw, channel string) error
	// push is in the beginning of what a member gets for a chat, body before the
	// chat's body.
	push, body []byte
}

var jsonRPC = wire{
	chat: func(r *raw, channel string) error { return r.send(stampedChat(channel, bodySize)) },
	push: []byte(`"method":"chat"`), body: []byte(`"body":"`),
}

// isChat reports whether a frame has a chat.
func (w *wire) isChat(frame []byte) bool { return bytes.Contains(frame[:min(len(frame), 40)], w.push) }

// age is how long ago the chat in a frame was sent; false for other frames.
func (w *wire) age(frame []byte) (time.Duration, bool) {
	if !w.isChat(frame) {
		return 0, false
	}
	_, body, _ := bytes.Cut(frame, w.body)
	return ageOf(body)
}

// ageOf is how long ago a body was stamped; false for others.
func ageOf(body []byte) (time.Duration, bool) {
	if len(body) < 16 {
		return 0, false
	}
	sent := time.Duration(0)
	for _, c := range body[:16] {
		if c < '0' || c > '9' {
			return 0, false // somebody else's
		}
		sent = sent*10 + time.Duration(c-'0')
	}
	return time.Since(began) - sent, true
}

// receive collects the ages of n chats.
func (w *wire) receive(r *raw, n int) ([]time.Duration, error) {
	ages := make([]time.Duration, 0, n)
	for len(ages) < n {
		frame, err := r.next()
		if err != nil {
			return ages, err
		}
		if d, ok := w.age(frame); ok {
			ages = append(ages, d)
		}
	}
	return ages, nil
}
