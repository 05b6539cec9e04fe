// Command program uses the generated client.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/parley-chat/parley/tests/apiclients/testdata/parley"
)

var (
	ctx     = context.Background()
	channel = os.Getenv("CHANNEL")
)

func main() {
	client := clientWith(os.Getenv("KEY"))
	sent := publish(client)
	batch(client, sent)
	read(client, sent)
	refusals(client)
}

func clientWith(key string) *parley.ClientWithResponses {
	return must(parley.NewClientWithResponses(os.Getenv("API"), parley.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	})))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func check(ok bool, format string, args ...any) {
	if !ok {
		log.Fatalf(format, args...)
	}
}

func ptr[T any](v T) *T { return &v }

// publish publishes a message, and once more as after an error.
func publish(client *parley.ClientWithResponses) *parley.PublishResult {
	message := parley.PublishParams{
		Channel: channel, User: "ada", Body: "one", Id: ptr("go-1"), Type: ptr("order"),
		Data: map[string]int{"n": 1}, Info: map[string]string{"name": "Ada"},
	}
	first := must(client.PublishMessageWithResponse(ctx, message))
	check(first.JSON200 != nil && first.JSON200.Seq > 0, "publish is answered %s %s", first.Status(), first.Body)
	message.Retry = ptr(true)
	again := must(client.PublishMessageWithResponse(ctx, message))
	check(again.JSON200 != nil && *again.JSON200 == *first.JSON200, "the retry is answered %s, and was %+v", again.Body, first.JSON200)
	return first.JSON200
}

// batch sends four requests, of which one is refused and one is a notification.
func batch(client *parley.ClientWithResponses, sent *parley.PublishResult) {
	var ids [3]parley.Id
	must(0, ids[0].FromId0("a"))
	must(0, ids[1].FromId1(2))
	must(0, ids[2].FromId1(3))
	var all [4]parley.RpcRequest
	must(0, all[0].FromPublishRequest(parley.PublishRequest{Jsonrpc: "2.0", Id: &ids[0], Params: parley.PublishParams{Channel: channel, User: "ada", Body: "two"}}))
	must(0, all[1].FromBroadcastRequest(parley.BroadcastRequest{Jsonrpc: "2.0", Id: &ids[1], Params: parley.BroadcastParams{Channels: []string{channel}, User: "bob", Body: "three"}}))
	must(0, all[2].FromEditRequest(parley.EditRequest{Jsonrpc: "2.0", Id: &ids[2], Params: parley.BackendEditParams{Channel: "", Seq: sent.Seq, User: "ada", Body: "x"}}))
	must(0, all[3].FromMuteRequest(parley.MuteRequest{Jsonrpc: "2.0", Params: parley.SanctionParams{Channel: channel, User: "eve", For: ptr(int64(60_000))}}))
	var body parley.RpcBody
	must(0, body.FromRpcBatch(all[:]))
	r := must(client.CallWithResponse(ctx, body))
	check(r.JSON200 != nil, "the batch is answered %s %s", r.Status(), r.Body)
	answers := must(r.JSON200.AsRpcAnswers())
	check(len(answers) == 3, "the batch is answered %s", r.Body)
	for _, a := range answers {
		switch fmt.Sprint(a.Id) {
		case "a":
			check(resultOf[parley.PublishResult](a).Seq > sent.Seq, "publish is answered %+v", a)
		case "2":
			results := resultOf[parley.BroadcastResult](a).Results
			check(len(results) == 1 && results[0].Channel == channel && results[0].Seq != nil && results[0].Error == nil, "broadcast is answered %+v", results)
		default:
			check(a.Error != nil && a.Error.Code == -32602 && *a.Error.Data.Field == "channel", "the edit in no channel is answered %+v", a.Error)
		}
	}
}

// resultOf is the result of an answer, as its type.
func resultOf[T any](a parley.RpcResponse) (v T) {
	check(a.Error == nil && a.Result != nil, "%v is answered %+v", a.Id, a.Error)
	must(0, json.Unmarshal(must(json.Marshal(a.Result)), &v))
	return v
}

func read(client *parley.ClientWithResponses, sent *parley.PublishResult) {
	page := must(client.ListMessagesWithResponse(ctx, &parley.ListMessagesParams{Channel: channel, After: ptr(sent.Seq), Limit: ptr(int64(10))}))
	check(page.JSON200 != nil && len(page.JSON200.Messages) == 2 && *page.JSON200.Messages[1].Origin == "backend", "the page is %s %s", page.Status(), page.Body)
	members := must(client.ListMembersWithResponse(ctx, &parley.ListMembersParams{Channel: channel}))
	check(members.JSON200 != nil && members.JSON200.Count == 0, "the members are %s", members.Body)
	channels := must(client.ListChannelsWithResponse(ctx, &parley.ListChannelsParams{}))
	check(channels.JSON200 != nil, "the channels are %s", channels.Body)

	var id parley.Id
	must(0, id.FromId1(1))
	var request parley.RpcRequest
	must(0, request.FromSanctionsRequest(parley.SanctionsRequest{Jsonrpc: "2.0", Id: &id, Params: parley.BackendSanctionsParams{Channel: channel}}))
	var body parley.RpcBody
	must(0, body.FromRpcRequest(request))
	r := must(client.CallWithResponse(ctx, body))
	check(r.JSON200 != nil, "sanctions are answered %s", r.Body)
	sanctions := resultOf[parley.SanctionsResult](must(r.JSON200.AsRpcResponse())).Sanctions
	check(len(sanctions) == 1 && sanctions[0].User == "eve" && *sanctions[0].By.Key == "local", "the sanctions are %s", r.Body)
}

func refusals(client *parley.ClientWithResponses) {
	bad := must(client.ListMembersWithResponse(ctx, &parley.ListMembersParams{Channel: "a\x00"}))
	check(bad.JSON400 != nil && bad.JSON400.Error.Code == -32602 && *bad.JSON400.Error.Data.Field == "channel", "a NUL is answered %s", bad.Body)
	unknown := must(clientWith("wrong").ListMembersWithResponse(ctx, &parley.ListMembersParams{Channel: channel}))
	check(unknown.JSON401 != nil && unknown.JSON401.Error.Code == 1001, "a wrong key is answered %s", unknown.Body)
}
