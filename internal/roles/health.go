package roles

// Health is whether a role does its work now.
type Health struct {
	// Unready is why it does not, a sentence for each reason.
	Unready []string
	// Warnings are what is wrong with its machine all the same, a sentence each.
	Warnings []string
}

// Ready reports whether the role does its work.
func (h Health) Ready() bool { return len(h.Unready) == 0 }
