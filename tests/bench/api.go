package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/trust"
)

const (
	apiSingles    = 5000
	apiReached    = 1000 // channels of a broadcast
	apiBroadcasts = 20
	apiBatch      = 100
	apiCallers    = 8
	apiTime       = 10 * time.Second
)

// backend asks the API of the server.
type backend struct {
	client   *http.Client
	url, key string
}

// api: what backends publish, one by one, in many channels, and in batches.
func (b *bench) api(ctx context.Context) error {
	var at struct {
		API string `json:"api"`
		Key string `json:"api_key_file"`
	}
	text, err := os.ReadFile(filepath.Join(b.data, "addresses.json"))
	if err == nil {
		err = json.Unmarshal(text, &at)
	}
	if err != nil {
		return err
	}
	key, err := trust.Secret(at.Key)
	if err != nil {
		return err
	}
	x := &backend{&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: apiCallers}}, at.API, key}
	for _, part := range []func(context.Context, *backend) error{b.apiSingles, b.apiBroadcasts, b.apiBatches} {
		if err := part(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// post sends a body, of which that many messages become.
func (x *backend) post(ctx context.Context, path, body string, messages int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+x.key)
	r.Header.Set("Content-Type", "application/json")
	res, err := x.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), `"seq":`); n != messages {
		return fmt.Errorf("%d of %d messages are published: %s %.300s", n, messages, res.Status, text)
	}
	return nil
}

// apiSingles publishes one message after the other.
func (b *bench) apiSingles(ctx context.Context, x *backend) error {
	var took []time.Duration
	body := strings.Repeat("x", bodySize)
	used := b.cpu()
	for range apiSingles {
		begin := time.Now()
		if err := x.post(ctx, "/v1/messages", fmt.Sprintf(`{"channel":"one","user":"ada","body":%q}`, body), 1); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	used = b.cpu() - used
	b.row("API: one message after the other, by one backend", "p50 %.2f ms, p99 %.2f ms (goal p50 ≤ 3); %.0f CPU-seconds per million, everything but the load generator",
		ms(quantile(took, .5)), ms(quantile(took, .99)), used.Seconds()/apiSingles*1e6)
	return nil
}

func (b *bench) apiBroadcasts(ctx context.Context, x *backend) error {
	var names []string
	for i := range apiReached {
		names = append(names, fmt.Sprintf(`"all/%d"`, i))
	}
	request := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"broadcast","params":{"channels":[%s],"user":"ada","body":%q}}`,
		strings.Join(names, ","), strings.Repeat("x", bodySize))
	if err := x.post(ctx, "/v1/rpc", request, apiReached); err != nil { // the channels are new
		return err
	}
	var took []time.Duration
	used := b.cpu()
	for range apiBroadcasts {
		begin := time.Now()
		if err := x.post(ctx, "/v1/rpc", request, apiReached); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	used = b.cpu() - used
	b.row(fmt.Sprintf("API: `broadcast` to %d channels", apiReached), "p50 %.0f ms, slowest of %d %.0f ms (goal ≤ 150); %.1f CPU-seconds per million messages",
		ms(quantile(took, .5)), apiBroadcasts, ms(quantile(took, 1)), used.Seconds()/(apiBroadcasts*apiReached)*1e6)
	return nil
}

// apiBatches has callers publish in batches, each as soon as its last one is answered.
func (b *bench) apiBatches(ctx context.Context, x *backend) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var sent atomic.Int64
	var callers sync.WaitGroup
	used, begin := b.cpu(), time.Now()
	for c := range apiCallers {
		callers.Go(func() {
			batch := batchOf(c)
			for time.Since(begin) < apiTime && ctx.Err() == nil {
				if err := x.post(ctx, "/v1/rpc", batch, apiBatch); err != nil {
					cancel(err)
					return
				}
				sent.Add(apiBatch)
			}
		})
	}
	callers.Wait()
	took := time.Since(begin)
	used = b.cpu() - used
	if err := context.Cause(ctx); err != nil {
		return err
	}
	b.row(fmt.Sprintf("API: `publish` in batches of %d, by %d callers", apiBatch, apiCallers), "%.0f messages/s (goal ≥ 20000); %.1f CPU-seconds per million, everything but the load generator",
		float64(sent.Load())/took.Seconds(), used.Seconds()/float64(sent.Load())*1e6)
	return nil
}

// batchOf is the batch of a caller, for as many channels as it has requests.
func batchOf(caller int) string {
	var all []string
	for i := range apiBatch {
		all = append(all, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"publish","params":{"channel":"batch/%d","user":"ada","body":%q}}`,
			i, (caller*apiBatch+i)%(2*apiBatch), strings.Repeat("x", bodySize)))
	}
	return "[" + strings.Join(all, ",") + "]"
}
