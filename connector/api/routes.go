package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/parley-chat/parley/schema/rpc"
)

// statuses are what the routes for curl answer errors with. Others are 500.
var statuses = map[int]int{
	rpc.CodeParse: http.StatusBadRequest, rpc.CodeInvalidRequest: http.StatusBadRequest, rpc.CodeInvalidParams: http.StatusBadRequest,
	rpc.CodeNoMethod:        http.StatusNotFound, // the log's format is too old for it
	rpc.CodeUnauthenticated: http.StatusUnauthorized, rpc.CodeForbidden: http.StatusForbidden, rpc.CodeSanctioned: http.StatusForbidden,
	rpc.CodeRateLimited: http.StatusTooManyRequests, rpc.CodeTooLarge: http.StatusRequestEntityTooLarge,
	rpc.CodeUnavailable: http.StatusServiceUnavailable, rpc.CodeHistoryUnavailable: http.StatusServiceUnavailable,
	rpc.CodeGone: http.StatusNotFound, rpc.CodeFull: http.StatusConflict,
}

// StatusOf is the status of the HTTP answer that carries an error alone.
func StatusOf(bad *rpc.Error) int {
	if status := statuses[bad.Code]; status != 0 {
		return status
	}
	return http.StatusInternalServerError
}

// post serves a method whose params are the body.
func (s *Server) post(method string) func(*request) {
	return func(r *request) {
		text, done, ok := s.body(r)
		if !ok {
			return
		}
		defer done()
		if text = bytes.TrimSpace(text); !json.Valid(text) || text[0] != '{' {
			refuse(r.w, http.StatusBadRequest, &rpc.Error{Code: rpc.CodeParse, Message: "parse error: the body is a JSON object"})
			return
		}
		s.reply(r, method, text)
	}
}

// get serves a method whose params are those of the address.
func (s *Server) get(method string) func(*request) {
	return func(r *request) {
		params, bad := queried(method, r.Request)
		if bad != nil {
			refuse(r.w, StatusOf(bad), bad)
			return
		}
		s.reply(r, method, params)
	}
}

func (s *Server) reply(r *request, method string, params json.RawMessage) {
	if !drawn(r, 1) {
		return
	}
	result, sent, bad := s.one(r.Context(), r.by, rpc.Request{ID: json.RawMessage("1"), Method: method, Params: params})
	defer sent()
	if bad != nil {
		if bad.Data != nil && bad.Data.Retry > 0 {
			r.w.Header().Set("Retry-After", strconv.FormatInt((bad.Data.Retry+999)/1000, 10))
		}
		refuse(r.w, StatusOf(bad), bad)
		return
	}
	send(r.w, http.StatusOK, result)
}

// queryParams are what the routes that are read take, and whether it is a number.
var queryParams = map[string]map[string]bool{
	rpc.MethodHistory: {
		"channel": false, "before": true, "after": true, "around": true, "epoch": false, "reply": true, "user": false,
		"limit": true, "as": false, "min": true,
	},
	rpc.MethodMembers:  {"channel": false, "after": false, "limit": true},
	rpc.MethodChannels: {"prefix": false, "after": false, "limit": true},
}

// queried makes params of an address.
func queried(method string, r *http.Request) (json.RawMessage, *rpc.Error) {
	params := map[string]any{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, rpc.InvalidParams("params", "cannot be read from the address")
	}
	for name, values := range query {
		number, known := queryParams[method][name]
		switch {
		case !known:
			continue
		case len(values) != 1:
			return nil, rpc.InvalidParams(name, "is given twice")
		case !utf8.ValidString(values[0]):
			return nil, rpc.InvalidParams(name, "must be Unicode text")
		case !number:
			params[name] = values[0]
			continue
		}
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return nil, rpc.InvalidParams(name, "must be an integer")
		}
		params[name] = n
	}
	text, err := json.Marshal(params)
	if err != nil {
		return nil, &rpc.Error{Code: rpc.CodeInternal, Message: fmt.Sprintf("internal error: %v", err)}
	}
	return text, nil
}
