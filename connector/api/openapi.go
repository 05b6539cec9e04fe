package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/parley-chat/parley/schema/rpc"
)

// Operation is one method of the API, for those who make clients.
type Operation struct {
	Method  string
	Action  string // that a key needs
	Does    string
	Params  any // a value of the type
	Results any
}

// Operations are all methods, in the order of the documentation.
var Operations = []Operation{
	{rpc.MethodPublish, "api", "Publish a message on behalf of a user, who need not be in the channel.", rpc.PublishParams{}, rpc.PublishResult{}},
	{rpc.MethodBroadcast, "api", "Publish a message in up to 1,000 channels.", rpc.BroadcastParams{}, rpc.BroadcastResult{}},
	{rpc.MethodEdit, "api", "Edit a message on behalf of a user; another's takes moderate as well.", rpc.BackendEditParams{}, rpc.ActResult{}},
	{rpc.MethodDelete, "api", "Delete a message on behalf of a user; another's takes moderate as well.", rpc.BackendDeleteParams{}, rpc.ActResult{}},
	{rpc.MethodReact, "api", "React to a message on behalf of a user.", rpc.BackendReactParams{}, rpc.ActResult{}},
	{rpc.MethodPin, "moderate", "Pin a message to its channel, or take the pin away.", rpc.PinParams{}, rpc.ActResult{}},
	{rpc.MethodMute, "moderate", "Mute a user in a channel.", rpc.SanctionParams{}, rpc.ActResult{}},
	{rpc.MethodBan, "moderate", "Ban a user from a channel.", rpc.SanctionParams{}, rpc.ActResult{}},
	{rpc.MethodKick, "moderate", "Put a user out of a channel.", rpc.KickParams{}, rpc.ActResult{}},
	{rpc.MethodLift, "moderate", "Lift a mute, a ban, or both.", rpc.LiftParams{}, rpc.ActResult{}},
	{rpc.MethodPurge, "moderate", "Delete the messages of a user in a channel.", rpc.PurgeParams{}, rpc.ActResult{}},
	{rpc.MethodSet, "moderate", "Set slow mode, freeze, topic or data of a channel.", rpc.SetParams{}, rpc.ActResult{}},
	{rpc.MethodHistory, "api", "Read a page of messages as a user sees it; without as, all of them, which takes audit.", rpc.BackendHistoryParams{}, rpc.HistoryResult{}},
	{rpc.MethodSearch, "api", "Find messages of a channel by their words as a user sees them; without as, all of them, which takes audit.", rpc.BackendSearchParams{}, rpc.SearchResult{}},
	{rpc.MethodReactions, "api", "List who reacted to a message that a user sees; without as, to any, which takes audit.", rpc.BackendReactionsParams{}, rpc.ReactionsResult{}},
	{rpc.MethodSanctions, "moderate", "List the mutes and bans of a channel.", rpc.BackendSanctionsParams{}, rpc.SanctionsResult{}},
	{rpc.MethodMembers, "api", "List the users in a channel.", rpc.MembersParams{}, rpc.MembersResult{}},
	{rpc.MethodChannels, "admin", "List the channels that have members.", rpc.ChannelsParams{}, rpc.ChannelsResult{}},
	{rpc.MethodInfo, "admin", "Say what runs.", rpc.Empty{}, rpc.InfoResult{}},
	{rpc.MethodDisconnect, "admin", "End the sessions of a user, or one of them.", rpc.DisconnectParams{}, rpc.Empty{}},
	{rpc.MethodRevoke, "admin", "End a user's tokens, or one token, before they expire.", rpc.RevokeParams{}, rpc.Empty{}},
	{rpc.MethodBar, "admin", "Keep a user out, or lift that.", rpc.BarParams{}, rpc.Empty{}},
	{rpc.MethodGrant, "admin", "Grant a user what their token does not.", rpc.GrantParams{}, rpc.Empty{}},
}

// Names of schemas and operations are such that the names which generators of clients
// make of them are not each other's, nor those of a generator's own.

// object is a JSON object.
type object = map[string]any

// Document is the OpenAPI document of the API, of a version of the program.
func Document(version string) []byte {
	all := schemas{}
	requests := []any{}
	mapping := object{}
	for _, op := range Operations {
		params, result := all.of(op.Params), all.of(op.Results)
		name := strings.ToUpper(op.Method[:1]) + op.Method[1:] + "Request"
		all[name] = object{
			"type": "object", "description": op.Does + " The action is " + op.Action + ".", "required": []string{"jsonrpc", "method", "params"},
			"properties": object{
				"jsonrpc": constant("2.0"), "id": ref("Id"), "method": constant(op.Method), "params": params,
			},
			"x-result": result,
		}
		requests = append(requests, ref(name))
		mapping[op.Method] = "#/components/schemas/" + name
	}
	failed := object{"type": "object", "required": []string{"error"}, "properties": object{"error": all.of(rpc.Error{})}}
	all["Id"] = object{"oneOf": []any{object{"type": "string"}, object{"type": "integer"}}, "description": "It comes back with the answer. Without one nothing is answered."}
	all["RpcRequest"] = object{"oneOf": requests, "discriminator": object{"propertyName": "method", "mapping": mapping}}
	all["RpcResponse"] = object{
		"type": "object", "required": []string{"jsonrpc", "id"}, "description": "It has a result, that of the method, or an error.",
		"properties": object{
			"jsonrpc": constant("2.0"), "id": object{"description": "That of the request; null where it cannot be told."},
			"result": object{"type": "object"}, "error": all.of(rpc.Error{}),
		},
	}
	all["RpcBatch"] = object{"type": "array", "minItems": 1, "maxItems": MaxBatch, "items": ref("RpcRequest")}
	all["RpcBody"] = object{"oneOf": []any{ref("RpcRequest"), ref("RpcBatch")}}
	all["RpcAnswers"] = object{"type": "array", "items": ref("RpcResponse")}
	all["RpcAnswer"] = object{"oneOf": []any{ref("RpcResponse"), ref("RpcAnswers")}}
	all["Failure"] = failed
	document := object{
		"openapi":  "3.1.0",
		"info":     object{"title": "Parley server API", "version": version, "description": "For backends. JSON-RPC 2.0 at /v1/rpc has every method; the other paths are for curl."},
		"security": []object{{"key": []string{}}},
		"paths":    paths(all),
		"components": object{
			"securitySchemes": object{"key": object{"type": "http", "scheme": "bearer"}},
			"schemas":         all,
		},
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic("api: the OpenAPI document does not encode: " + err.Error())
	}
	return text
}

func paths(all schemas) object {
	document := operation("getDocument", "This document.", nil, object{"type": "object"})
	return object{
		"/v1/rpc": object{"post": with(
			operation("call", "One request, or a batch of up to 100. Requests about one channel are taken up in their order. What is refused has an error in an answer of status 200; notifications alone are answered with 204.", nil, ref("RpcAnswer")),
			"requestBody", body(ref("RpcBody")))},
		"/v1/messages": object{
			"post": with(operation("publishMessage", Operations[0].Does, nil, all.of(rpc.PublishResult{})), "requestBody", body(all.of(rpc.PublishParams{}))),
			"get":  operation("listMessages", "Read a page of messages.", query(all, rpc.MethodHistory, rpc.BackendHistoryParams{}), all.of(rpc.HistoryResult{})),
		},
		"/v1/members":      object{"get": operation("listMembers", "List the users in a channel.", query(all, rpc.MethodMembers, rpc.MembersParams{}), all.of(rpc.MembersResult{}))},
		"/v1/channels":     object{"get": operation("listChannels", "List the channels that have members.", query(all, rpc.MethodChannels, rpc.ChannelsParams{}), all.of(rpc.ChannelsResult{}))},
		"/v1/openapi.json": object{"get": document},
	}
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// constant has a type too: without, generators of clients take it for anything.
func constant(text string) object { return object{"type": "string", "const": text} }

func with(o object, name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

func body(schema any) object { return with(content(schema), "required", true) }

func content(schema any) object {
	return object{"content": object{"application/json": object{"schema": schema}}}
}

// failures are the statuses that errors have, and what they mean.
var failures = map[string]string{
	"400": "The request is malformed (-32700, -32600), or its params are (-32602).",
	"401": "There is no key, or one that is not known.", "403": "The key does not grant it (1002).", "404": "There is no such message (1010).",
	"409": "There are as many as there may be (1011).", "413": "The request has more than 1 MiB, or a body is too long (1006).",
	"415": "The content is not application/json.", "429": "It is above the rate of the key (1005).",
	"503": "The servers cannot do it now (1007, 1008), or they are draining: try again with the same id.",
}

func operation(id, does string, parameters []any, result any) object {
	responses := object{"200": with(content(result), "description", "The result.")}
	for status, means := range failures {
		responses[status] = with(content(ref("Failure")), "description", means)
	}
	if id == "call" {
		responses["204"] = object{"description": "There were notifications alone."}
	}
	o := object{"operationId": id, "summary": does, "responses": responses}
	if parameters != nil {
		o["parameters"] = parameters
	}
	return o
}

// query are the params of a method that its address takes.
func query(all schemas, method string, params any) (list []any) {
	properties, required := all.properties(params)
	for _, name := range slices.Sorted(maps.Keys(queryParams[method])) {
		list = append(list, object{"name": name, "in": "query", "required": slices.Contains(required, name), "schema": properties[name]})
	}
	return list
}
