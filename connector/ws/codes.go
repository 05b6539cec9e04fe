package ws

import (
	"errors"

	"github.com/gorilla/websocket"
)

// Codes are the close codes of RFC 6455 that a connection may end with.
var Codes = []int{
	websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseProtocolError, websocket.CloseUnsupportedData,
	websocket.CloseNoStatusReceived, websocket.CloseAbnormalClosure, websocket.CloseInvalidFramePayloadData, websocket.CloseMessageTooBig,
}

// CodeOf returns the code of the peer's close frame that an error of [Conn.Read]
// stands for: 1005 for a frame without one, 1006 where the connection was cut.
func CodeOf(err error) int {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return websocket.CloseAbnormalClosure
}

// InOrder reports whether an error of [Conn.Read] is a close frame with which
// the peer ended the connection on purpose.
func InOrder(err error) bool {
	code := CodeOf(err)
	return code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway
}
