package ws

import "encoding/binary"

// Opcodes of RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	final   = 0x80
)

// FrameHeader is room for the longest header of a frame that a server sends.
const FrameHeader = 10

// appendFrame appends payload as one unmasked frame.
func appendFrame(b []byte, opcode byte, payload []byte) []byte {
	b = append(b, final|opcode)
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, 127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return append(b, payload...)
}

// TextFrame returns payload as a frame of its own.
func TextFrame(payload []byte) []byte {
	return appendFrame(make([]byte, 0, len(payload)+FrameHeader), opText, payload)
}

// closeFrame returns a close frame; the reason is cut to what a control frame
// holds.
func closeFrame(code int, reason string) []byte {
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, 125), uint16(code))
	payload = append(payload, reason[:min(len(reason), 123)]...)
	return appendFrame(nil, opClose, payload)
}

// AppendText appends payload as one text frame.
func AppendText(b, payload []byte) []byte { return appendFrame(b, opText, payload) }
