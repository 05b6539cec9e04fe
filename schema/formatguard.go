package schema

// FormatGuard knows which format is in force as the events of one partition are
// read in their order. Its zero value is for a reader that begins at offset 0,
// where the marker says it.
//
// Not safe for concurrent use.
type FormatGuard struct {
	// InForce is the format after the last event judged. A reader that begins
	// elsewhere sets it to one that is in force at or above the first offset that
	// it acts on, such as that of its watermark: whoever came that far has judged
	// what is below.
	InForce int32
}

// Judge takes the next event, void or not. The error is a *NewerError: the event
// needs a format that is not in force yet, and readers that know only the one
// that is take it for something else, or stop.
func (g *FormatGuard) Judge(offset int64, e *Event) error {
	if offset == 0 { // a marker elsewhere means nothing
		g.InForce = max(g.InForce, e.GetMarker().GetFormat())
	}
	g.InForce = max(g.InForce, e.GetFormat().GetNumber())
	if n, inForce := e.Needs(), max(g.InForce, 1); n > inForce {
		return &NewerError{What: "an event of format", Number: n, InForce: inForce}
	}
	return nil
}
