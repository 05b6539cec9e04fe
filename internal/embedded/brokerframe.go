package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// maxRequest is the size in bytes above which a request is refused: Kafka's
	// own default. What HTTP and TLS begin with reads as more.
	maxRequest = 100 << 20
	// maxStrangersRequest is the same for a client that has not logged in.
	maxStrangersRequest = 64 << 10
	// strangersTime is how long a client may take to log in.
	strangersTime = 30 * time.Second

	// A request begins with its size, kind, version and number, and the size
	// does not count itself.
	requestSize = 4
	requestHead = 12
)

var errNotKafka = errors.New("the client does not speak the Kafka protocol")

// Read reads, and refuses a request at its head: the broker allocates the size
// that is announced, before any login, and ends the process on an unknown
// kind.
func (c *trackedConn) Read(p []byte) (int, error) {
	if len(c.head) == 0 && c.rest == 0 {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.rest)])
	c.rest -= n
	return n, err
}

// begin reads the head of the next request.
func (c *trackedConn) begin() error {
	head := make([]byte, requestHead)
	if _, err := io.ReadFull(c.Conn, head); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head)
	kind := int16(binary.BigEndian.Uint16(head[requestSize:]))
	version := int16(binary.BigEndian.Uint16(head[requestSize+2:]))
	most := uint32(maxRequest)
	if c.stranger.asks(kind, version) {
		most = maxStrangersRequest
	}
	if size < requestHead-requestSize || size > most {
		return fmt.Errorf("%w: it announced a request of %d bytes", errNotKafka, size)
	}
	if kmsg.RequestForKey(kind) == nil {
		return fmt.Errorf("%w: it sent a request of kind %d", errNotKafka, kind)
	}
	c.head, c.rest = head, int(size)-(requestHead-requestSize)
	return nil
}

// Write writes an answer, all of it at once.
func (c *trackedConn) Write(p []byte) (int, error) {
	if c.stranger.isAnswered(p) {
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

const (
	// saslAuthenticate is the kind of the requests that a login consists of, in
	// SCRAM two. The broker leaves one that failed without an answer.
	saslAuthenticate = int16(kmsg.SASLAuthenticate)
	scramSteps       = 2
	// saslFlexible is the version from which on a byte precedes their error code,
	// which else comes after the size and the number of the answer.
	saslFlexible = 2
	errorCodeAt  = 8
)

// stranger is a client until it has logged in. A nil one has.
type stranger struct {
	mu     sync.Mutex
	asked  []asked // what is not answered yet, in order; two at most
	passed int     // steps of the login
}

type asked struct{ kind, version int16 }

// asks notes a request, and reports whether a stranger sent it.
func (s *stranger) asks(kind, version int16) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.passed == scramSteps {
		return false
	}
	s.asked = append(s.asked, asked{kind, version})
	return true
}

// isAnswered notes an answer, and reports whether it completes the login.
func (s *stranger) isAnswered(answer []byte) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.passed == scramSteps || len(s.asked) == 0 {
		return false
	}
	to := s.asked[0]
	s.asked = s.asked[1:]
	at := errorCodeAt
	if to.version >= saslFlexible {
		at++
	}
	if to.kind != saslAuthenticate || len(answer) < at+2 || binary.BigEndian.Uint16(answer[at:]) != 0 {
		return false
	}
	s.passed++
	return s.passed == scramSteps
}
