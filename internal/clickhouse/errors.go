package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/parley-chat/parley/internal/trust"
)

// Codes of the server's exceptions.
const (
	codeUnknownTable     = 60
	codeUnknownDatabase  = 81
	codeUnknownUser      = 192
	codeWrongPassword    = 193
	codePasswordRequired = 194
	codeDatabaseDenied   = 291
	codeAccessDenied     = 497
	codeAuthentication   = 516
	codeUnknownCluster   = 701
)

// IsMissing reports whether err means that the table or the database does not
// exist.
func IsMissing(err error) bool {
	code := codeOf(err)
	return code == codeUnknownTable || code == codeUnknownDatabase
}

// IsException reports whether the server answered, with an exception: it is
// up, but refused this.
func IsException(err error) bool { return codeOf(err) != 0 }

// IsTimeout reports whether err means that something took too long: a query, or
// the wait for a connection or an answer.
func IsTimeout(err error) bool {
	var timeout net.Error
	return IsBusy(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// IsBusy reports whether all connections were in use for as long as one may
// wait for one.
func IsBusy(err error) bool { return errors.Is(err, driver.ErrAcquireConnTimeout) }

// IsRefused reports whether a server is up and turns this client away: for
// its user or password, its rights, its certificate, or a cluster that the
// server does not know. Waiting or starting it changes nothing.
func IsRefused(err error) bool { return isRefusal(err) }

// isRefusal reports whether the server turns this user away, or lacks what the
// DSN names, which waiting does not fix.
func isRefusal(err error) bool {
	switch codeOf(err) {
	case codeUnknownUser, codeWrongPassword, codePasswordRequired, codeDatabaseDenied, codeAccessDenied, codeAuthentication, codeUnknownCluster:
		return true
	}
	return trust.Refused(err) != ""
}

func codeOf(err error) int32 {
	var e *driver.Exception
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// explain adds what to do about a refusal.
func explain(err error, t Target) error {
	switch codeOf(err) {
	case codeUnknownUser, codeWrongPassword, codePasswordRequired, codeAuthentication:
		return fmt.Errorf("it refuses user %q with this password: correct the DSN: %w", t.User, err)
	case codeDatabaseDenied, codeAccessDenied:
		return fmt.Errorf("user %q may not do this in database %q: grant it the right: %w", t.User, t.Database, err)
	case codeUnknownCluster:
		return fmt.Errorf("it knows no cluster %q: correct the DSN, or its configuration: %w", t.Cluster, err)
	}
	if why := trust.Refused(err); why != "" {
		return fmt.Errorf("%s: %w", why, err)
	}
	return err
}
