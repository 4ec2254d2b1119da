package main

// The canonical ABI of the contract, by hand: what a generator of bindings would write, for the parts that plugin.go uses.

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"unsafe"
)

// Event and Endpoint are handles: the things themselves are in the gateway.
type Event int32
type Endpoint int32

// Request is what is sent.
type Request struct {
	Body          []byte
	Header, Value string
}

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

func bytes(b []byte) slice {
	return slice{keep(unsafe.Pointer(unsafe.SliceData(b))), uint32(len(b))}
}

func text(s string) slice {
	return slice{keep(unsafe.Pointer(unsafe.StringData(s))), uint32(len(s))}
}

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.id
func eventID(event Event, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.topic
func eventTopic(event Event, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.data
func eventData(event Event, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.get
func eventGet(event Event, pointer unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [resource-drop]event
func dropEvent(event Event)

//go:wasmimport hookway:plugin/types@1.0.0 [method]endpoint.id
func endpointID(endpoint Endpoint, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [resource-drop]endpoint
func dropEndpoint(endpoint Endpoint)

//go:wasmimport hookway:plugin/log@1.0.0 log
func log(level int32, message unsafe.Pointer, length uint32)

// The gateway writes these, so they must not lie on a stack, which moves.
var found slice
var value struct {
	some   uint8
	kind   uint64 // null, boolean, number, text, json
	number float64
}

func (e Event) ID() string {
	eventID(e, unsafe.Pointer(&found))
	return string(found.bytes())
}

func (e Event) Topic() string {
	eventTopic(e, unsafe.Pointer(&found))
	return string(found.bytes())
}

func (e Event) Data() []byte {
	eventData(e, unsafe.Pointer(&found))
	return found.bytes()
}

// Number is the number at a JSON pointer into the data, if there is one.
func (e Event) Number(pointer string) (float64, bool) {
	value.kind = 0
	eventGet(e, unsafe.Pointer(unsafe.StringData(pointer)), uint32(len(pointer)), unsafe.Pointer(&value))
	return value.number, value.some == 1 && uint8(value.kind) == 2
}

func (e Endpoint) ID() string {
	endpointID(e, unsafe.Pointer(&found))
	return string(found.bytes())
}

func logDebug(message string) {
	log(1, unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}

// result<_, string>
var initResult struct {
	failed uint32
	err    slice
}

//go:wasmexport hookway:plugin/lifecycle@1.0.0#init
func exportInit(config, length uint32) unsafe.Pointer {
	initResult.failed = 0
	if err := initialize(slice{config, length}.bytes()); err != nil {
		initResult.failed, initResult.err = 1, text(err.Error())
	}
	return unsafe.Pointer(&initResult)
}

// result<verdict, error>
var filterResult struct {
	failed, isDrop uint32
	reason         slice
}

//go:wasmexport hookway:plugin/filter@1.0.0#filter
func exportFilter(event Event, to Endpoint) unsafe.Pointer {
	tidy()
	filterResult.isDrop = 0
	if reason := filter(event, to); reason != "" {
		filterResult.isDrop, filterResult.reason = 1, text(reason)
	}
	dropEvent(event)
	dropEndpoint(to)
	return unsafe.Pointer(&filterResult)
}

// result<outcome, error>
var transformResult struct {
	failed, isReplace                       uint32
	body                                    slice
	hasContentType                          uint32
	contentType, headersSet, headersRemoved slice
}
var header struct{ name, value slice }

//go:wasmexport hookway:plugin/transform@1.0.0#transform
func exportTransform(event Event, to Endpoint) unsafe.Pointer {
	tidy()
	request := transform(event, to)
	header.name, header.value = text(request.Header), text(request.Value)
	transformResult.isReplace = 1
	transformResult.body = bytes(request.Body)
	transformResult.headersSet = slice{uint32(uintptr(unsafe.Pointer(&header))), 1}
	dropEvent(event)
	dropEndpoint(to)
	return unsafe.Pointer(&transformResult)
}

//go:wasmexport cabi_post_hookway:plugin/lifecycle@1.0.0#init
func postInit(result uint32) { letGo() }

//go:wasmexport cabi_post_hookway:plugin/filter@1.0.0#filter
func postFilter(result uint32) { letGo() }

//go:wasmexport cabi_post_hookway:plugin/transform@1.0.0#transform
func postTransform(result uint32) { letGo() }
