package grants

import (
	"errors"
	"fmt"

	"github.com/parley-chat/parley/schema/strict"
)

var (
	errMissing = errors.New("is missing: put a list there")
	errText    = errors.New("must be a string, not null")
)

// claimed is where a token has its grants.
const claimed = "/parley/grants"

// written is a grant as it is in JSON. A member that is null or not there is
// nil.
type written struct {
	Channels []*string `json:"channels"`
	Allow    []*string `json:"allow"`
}

// ParseClaim reads the claim parley.grants of a token: a list of grants in JSON,
// or nothing. Unknown actions are ignored. Its error is a *strict.Error, names
// the value that is wrong, and quotes nothing.
func ParseClaim(claim []byte) (List, error) { return parseClaim(claim, actionOf) }

// ParseBackendClaim is ParseClaim for the token of a backend, whose actions are
// others: moderate, api, audit and admin.
func ParseBackendClaim(claim []byte) (List, error) { return parseClaim(claim, backendAction) }

// ParseBackend reads the grants of a backend's key, a list in JSON, and which actions
// in it are unknown, so ignored. Its error is a *strict.Error.
func ParseBackend(text []byte) (list List, unknown []string, err error) {
	var all []written
	if err := strict.Unmarshal(text, &all); err != nil {
		return List{}, nil, err
	}
	return listOf(all, backendAction)
}

func parseClaim(claim []byte, of func(name string) Actions) (List, error) {
	if len(claim) == 0 {
		return List{}, nil
	}
	var all []written
	err := strict.Unmarshal(claim, &all)
	if err != nil {
		return List{}, under(claimed, err)
	}
	list, _, err := listOf(all, of)
	if err != nil {
		return List{}, under(claimed, err)
	}
	return list, nil
}

// ParseAllow reads the claim allow of a channel token: a list of actions, of
// which unknown ones are ignored. Its error is as that of ParseClaim.
func ParseAllow(claim []byte) (Actions, error) {
	var list []*string
	if len(claim) > 0 {
		if err := strict.Unmarshal(claim, &list); err != nil {
			return 0, under("/allow", err)
		}
	}
	allow, err := stringsOf("/allow", list)
	if err != nil {
		return 0, err
	}
	s, _ := actionsOf(allow, actionOf)
	return s, nil
}

func listOf(all []written, of func(name string) Actions) (list List, unknown []string, err error) {
	if len(all) > MaxGrants {
		return List{}, nil, &strict.Error{Err: errGrants}
	}
	list.grants = make([]Grant, len(all))
	for i, w := range all {
		var ignored []string
		if list.grants[i], ignored, err = w.grant(of); err != nil {
			return List{}, nil, under(fmt.Sprintf("/%d", i), err)
		}
		unknown = append(unknown, ignored...)
	}
	return list, unknown, nil
}

func (w *written) grant(of func(name string) Actions) (g Grant, unknown []string, err error) {
	channels, err := stringsOf("/channels", w.Channels)
	if err != nil {
		return Grant{}, nil, err
	}
	allow, err := stringsOf("/allow", w.Allow)
	if err != nil {
		return Grant{}, nil, err
	}
	if g, err = newGrant(channels, allow, of); err != nil {
		return Grant{}, nil, err
	}
	_, unknown = actionsOf(allow, of)
	return g, unknown, nil
}

// stringsOf is the text of a list that is there, and has no null in it.
func stringsOf(pointer string, list []*string) ([]string, error) {
	if list == nil {
		return nil, &strict.Error{Pointer: pointer, Err: errMissing}
	}
	texts := make([]string, len(list))
	for i, text := range list {
		if text == nil {
			return nil, &strict.Error{Pointer: fmt.Sprintf("%s/%d", pointer, i), Err: errText}
		}
		texts[i] = *text
	}
	return texts, nil
}

// under is what is wrong with a value, as part of the one that a pointer names.
func under(pointer string, err error) error {
	var wrong *strict.Error
	if !errors.As(err, &wrong) {
		return err
	}
	return &strict.Error{Pointer: pointer + wrong.Pointer, Err: wrong.Err}
}
