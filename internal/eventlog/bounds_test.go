package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/internal/testing/inuse"
)

// sizes of records with which queues are filled: of a short message, and of the
// largest.
var sizes = []int{150, 70_000}

// holdFirst has the broker get one small record, of partition 0, when release is
// called. Until then all else queues: a leader gets one request at a time.
func holdFirst(t *testing.T, p *Producer, w *wire) (release func()) {
	t.Helper()
	release = w.hold()
	if err := p.Produce(0, Record{Key: []byte("first")}, nil); err != nil {
		t.Fatal(err)
	}
	<-w.waiting
	return release
}

// While Kafka takes nothing a producer keeps what its queue may hold and no
// more, and it continues afterwards.
//
//parley:bound events for the log
func TestQueueIsBounded(t *testing.T) {
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c, w := startCluster(t).wiredClient(t)
			const partitions = 12
			topic := newTopic(t, c, partitions, nil)
			p := newProducer(t, c, ProducerConfig{Topic: topic})
			release := holdFirst(t, p, w)
			defer release()
			before, taken := inuse.Heap(), 0
			for ; ; taken++ {
				err := p.Produce(taken%partitions, Record{Value: make([]byte, size)}, nil)
				if errors.Is(err, ErrQueueFull) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			heap := inuse.Heap() - before
			t.Logf("%d records of %d bytes, the heap grew by %d MiB", taken, size, heap>>20)
			if bytes := taken * size; bytes > defaultQueueBytes || bytes < defaultQueueBytes*4/5 || heap > defaultQueueBytes*3/2 {
				t.Errorf("a queue of %d bytes took %d records of %d bytes, and the heap grew by %d", defaultQueueBytes, taken, size, heap)
			}
			release()
			if err := p.Flush(testContext(t)); err != nil {
				t.Fatal(err)
			}
			produceOne(t, p, 0, Record{Value: make([]byte, size)})
		})
	}
}

// What has queued leaves in requests of bounded size, of batches of bounded
// size, in its order.
//
//parley:bound a request to Kafka
func TestBatchesStayBelowTheirBound(t *testing.T) {
	cl := startFake(t)
	var mu sync.Mutex
	var largest, most, requests int // batch, request
	cl.fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		total := 0
		for _, p := range req.(*kmsg.ProduceRequest).Topics[0].Partitions {
			largest, total = max(largest, len(p.Records)), total+len(p.Records)
		}
		most, requests = max(most, total), requests+1
		return nil, nil, false
	})
	c, w := cl.wiredClient(t)
	const partitions = 24
	topic := newTopic(t, c, partitions, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	release := holdFirst(t, p, w)
	defer release()
	each := 0
	for ; ; each++ {
		if err := p.Produce(each%partitions, Record{Key: fmt.Append(nil, each/partitions), Value: make([]byte, 70_000)}, nil); err != nil {
			break
		}
	}
	release()
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	t.Logf("%d requests, the largest has %d bytes, the largest batch %d", requests, most, largest)
	if largest > maxBatchBytes || most > maxRequestBytes || most < maxRequestBytes/2 {
		t.Errorf("the largest request has %d bytes, the largest batch %d", most, largest)
	}
	mu.Unlock()
	for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), each/partitions+1)[1:] {
		if string(rec.Key) != fmt.Sprint(i) {
			t.Fatalf("offset %d holds record %s", i, rec.Key)
		}
	}
}

// A fetch brings about what it may, however much there is.
//
//parley:bound an answer of Kafka
func TestFetchesAreBounded(t *testing.T) {
	for _, bound := range []int{defaultFetchBytes, rangeFetchBytes} {
		for _, size := range sizes {
			t.Run(fmt.Sprint(bound, " of ", size), func(t *testing.T) {
				c := startFake(t, kfake.NumBrokers(1)).client(t)
				topic := newTopic(t, c, 1, nil)
				p := newProducer(t, c, ProducerConfig{Topic: topic})
				records := 3 * rangeFetchBytes / size
				for range records {
					if err := p.Produce(0, Record{Value: make([]byte, size)}, nil); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.Flush(testContext(t)); err != nil {
					t.Fatal(err)
				}
				r := newReader(t, c, ReaderConfig{Topic: topic, MaxBytes: bound})
				for read, most := 0, 0; read < records; {
					batch, err := r.Next(testContext(t))
					if err != nil {
						t.Fatal(err)
					}
					bytes := 0
					for i := range batch.Records {
						bytes += batch.Records[i].size()
					}
					read, most = read+len(batch.Records), max(most, bytes)
					if bytes > bound {
						t.Fatalf("a fetch brought %d bytes of records, the bound is %d", bytes, bound)
					}
				}
			})
		}
	}
}

// announcement is a connection whose other side announces so many bytes and
// sends nothing more.
type announcement struct {
	bytes.Buffer
	head [8]byte
	read bool
}

func (a *announcement) Read(p []byte) (int, error) {
	if a.read {
		return 0, errors.New("a body was read")
	}
	a.read = true
	return copy(p, a.head[:]), nil
}

// What no broker would answer is refused before there is memory for it.
//
//parley:bound an answer of Kafka
func TestLargestAnswerIsRefused(t *testing.T) {
	var a announcement
	binary.BigEndian.PutUint32(a.head[:], maxResponse+5)
	binary.BigEndian.PutUint32(a.head[4:], 1)
	before := allocated()
	_, err := (&exchange{req: kmsg.NewPtrMetadataRequest()}).RawExchange(&a)
	if err == nil || !strings.Contains(err.Error(), "is this a Kafka port?") {
		t.Errorf("an answer of %d bytes: %v", maxResponse+1, err)
	}
	if grown := allocated() - before; grown > 1<<20 {
		t.Errorf("%d bytes were allocated for it", grown)
	}
}

func allocated() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.TotalAlloc)
}
