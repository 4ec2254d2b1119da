//go:build wasip1

package main

// The canonical ABI of the contract, by hand: what a generator of bindings would write. Here: memory, texts and the log.

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"unsafe"
)

// Addresses in the contract have 32 bits, pointers in Go 64.
type slice struct{ data, length uint32 }

// Collections run at the beginning of a call and nowhere else: one asks for the time, and while the gateway asks for memory,
// or has read a result, a module may not ask it anything.
func init() { debug.SetGCPercent(-1) }

const garbage = 8 << 20

var heap = []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}

func tidy() {
	if metrics.Read(heap); heap[0].Value.Uint64() > garbage {
		runtime.GC()
	}
}

// Memory that is there until the gateway has read the result. The garbage collector does not know what it reads.
var kept []unsafe.Pointer

func keep(pointer unsafe.Pointer) uint32 {
	kept = append(kept, pointer)
	return uint32(uintptr(pointer))
}

func letGo() {
	clear(kept)
	kept = kept[:0]
}

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) uint32 {
	block := make([]uint64, size/8+1) // aligned to 8; lists and strings of the gateway never grow
	return keep(unsafe.Pointer(&block[0]))
}

func (s slice) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(s.data))), s.length)
}

func blob(b []byte) slice {
	return slice{keep(unsafe.Pointer(unsafe.SliceData(b))), uint32(len(b))}
}

func text(s string) slice {
	return slice{keep(unsafe.Pointer(unsafe.StringData(s))), uint32(len(s))}
}

//go:wasmimport hookway:plugin/log@1.0.0 log
func writeLog(level int32, message unsafe.Pointer, length uint32)

// Log writes a line of the plugin's log.
func Log(level Level, message string) {
	writeLog(int32(level), unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}
