package tests

import (
	"testing"

	"github.com/parley-chat/parley/schema/rpc"
)

// A leave that no worker carries out is answered all the same. It may be
// repeated, and takes effect once there is a worker.
func TestLeaveWithoutAWorker(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	w := c.worker()
	url := c.connector(nil).addr
	ada, bob := enter(t, url, "ada"), enter(t, url, "bob")
	ada.join("lobby")
	bob.join("lobby")
	w.stop()

	leave := rpc.LeaveParams{Channel: "lobby"}
	if bad := ada.refused(rpc.CodeUnavailable, rpc.MethodLeave, leave); bad.Data == nil || bad.Data.Retry <= 0 {
		t.Errorf("%+v does not say when to try again", bad)
	}
	ada.refused(rpc.CodeNotJoined, rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "x"})
	again := make(chan error, 1)
	go func() {
		err := ada.Call(soon(t), rpc.MethodLeave, leave, nil)
		for isUnavailable(err) { // the worker took longer to start
			err = ada.Call(soon(t), rpc.MethodLeave, leave, nil)
		}
		again <- err
	}()
	ada.call(rpc.MethodPing, rpc.Empty{}, nil) // the leave before it was read
	c.worker()
	if err := <-again; err != nil {
		t.Errorf("the leave, asked for again: %v", err)
	}
	bob.sees(rpc.PushLeft)
	if users := bob.members("lobby"); len(users) != 1 {
		t.Errorf("still here: %v", users)
	}
	ada.refused(rpc.CodeNotJoined, rpc.MethodLeave, leave)
	ada.join("lobby")
}
