package connector

import (
	"maps"
	"slices"
	"strconv"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/schema/rpc"
)

// apiMethods and apiStatuses are the values of labels.
var (
	apiMethods  = append(slices.Sorted(maps.Keys(backendMethods)), "other")
	apiStatuses = []string{"200", "204", "400", "401", "403", "404", "405", "409", "413", "415", "429", "500", "503", "other"}
)

// counted counts the answer to a request of a backend.
func (m *metrics) counted(method string, known bool, answer api.Answer) api.Answer {
	if !known {
		method = "other"
	}
	return func(write func([]byte) []byte, bad *rpc.Error) {
		m.api.Add(1, method, outcomeOf(bad))
		answer(write, bad)
	}
}

// answeredHTTP counts an HTTP answer of the API.
func (m *metrics) answeredHTTP(status int) {
	label := strconv.Itoa(status)
	if !slices.Contains(apiStatuses, label) {
		label = "other"
	}
	m.apiAnswers.Add(1, label)
}
