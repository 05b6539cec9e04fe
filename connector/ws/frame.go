package ws

import "encoding/binary"

// Opcodes of RFC 6455, section 5.2.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
	final    = 0x80
)

// FrameHeader is room for the longest header of a frame that a server sends.
const FrameHeader = 10

// appendFrame appends payload as one unmasked frame.
func appendFrame(b []byte, opcode byte, payload []byte) []byte {
	return append(appendHeader(b, opcode, len(payload)), payload...)
}

func appendHeader(b []byte, opcode byte, payload int) []byte {
	b = append(b, final|opcode)
	switch {
	case payload < 126:
		return append(b, byte(payload))
	case payload < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(payload))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(payload))
	}
}

// TextFrame returns payload as a frame of its own.
func TextFrame(payload []byte) []byte {
	return appendFrame(make([]byte, 0, len(payload)+FrameHeader), opText, payload)
}

// AppendText appends a text frame, whose payload write appends.
func AppendText(b []byte, write func([]byte) []byte) []byte { return appendWith(b, opText, write) }

// AppendBinary appends a binary frame, whose payload write appends.
func AppendBinary(b []byte, write func([]byte) []byte) []byte { return appendWith(b, opBinary, write) }

func appendWith(b []byte, opcode byte, write func([]byte) []byte) []byte {
	const likely = 4 // bytes of the header: where it has others, the payload moves
	start := len(b)
	b = write(append(b, 0, 0, 0, 0))
	payload := b[start+likely:]
	var space [FrameHeader]byte
	header := appendHeader(space[:0], opcode, len(payload))
	if longer := len(header) - likely; longer != 0 {
		b = append(b, space[:max(longer, 0)]...)
		copy(b[start+len(header):], payload)
		b = b[:start+len(header)+len(payload)]
	}
	copy(b[start:], header)
	return b
}

// CloseFrame is what a connection is closed with.
func CloseFrame(code int, reason string) []byte { return closeFrame(code, reason) }

// closeFrame returns a close frame; the reason is cut to what a control frame
// holds.
func closeFrame(code int, reason string) []byte {
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, 125), uint16(code))
	payload = append(payload, reason[:min(len(reason), 123)]...)
	return appendFrame(nil, opClose, payload)
}
