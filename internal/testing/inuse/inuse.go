// Package inuse measures memory, for tests of bounds.
package inuse

import "runtime"

// Heap is how many bytes of the heap are in use after a collection.
func Heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// SettledHeap is Heap without what pools kept over a first collection.
func SettledHeap() int {
	runtime.GC()
	return Heap()
}
