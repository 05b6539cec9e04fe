package admission

import (
	"time"

	"golang.org/x/time/rate"
)

// Bucket limits something to a rate; nil does not limit it. Safe for concurrent
// use.
type Bucket = rate.Limiter

// NewBucket allows perSecond on average and burst at once; nil when perSecond
// is 0 or less.
func NewBucket(perSecond, burst int) *Bucket {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}

// Draw takes one from the bucket. When there is none it returns the time until
// there is.
func Draw(b *Bucket, now time.Time) (retry time.Duration, ok bool) {
	if b == nil || b.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - b.TokensAt(now)
	return time.Duration(missing / float64(b.Limit()) * float64(time.Second)), false
}

// full reports whether the bucket is as if it had never been used.
func full(b *Bucket, now time.Time) bool {
	return b == nil || b.TokensAt(now) >= float64(b.Burst())
}

// refill is the time that an empty bucket takes to be full.
func refill(perSecond, burst int) time.Duration {
	if perSecond <= 0 {
		return 0
	}
	return time.Duration(float64(burst) / float64(perSecond) * float64(time.Second))
}

// FloodWindow is the time within which a [Flood] counts.
const FloodWindow = 10 * time.Second

// Flood counts what should be rare. Not safe for concurrent use.
type Flood struct {
	since time.Time
	n     int
}

// Exceeds counts one more and reports whether there were more than most within
// FloodWindow.
func (f *Flood) Exceeds(most int) bool {
	if now := time.Now(); now.Sub(f.since) > FloodWindow {
		f.since, f.n = now, 0
	}
	f.n++
	return f.n > most
}
