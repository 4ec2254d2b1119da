//go:build wasip1

package main

// Events and endpoints of the gateway, and the configuration.

import (
	"encoding/json"
	"math"
	"unsafe"
)

// Handles: the things themselves are in the gateway.
type hostEvent int32
type hostEndpoint int32

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.id
func eventID(event int32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.topic
func eventTopic(event int32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.tenant
func eventTenant(event int32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.timestamp-ms
func eventTimestamp(event int32) uint64

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.data
func eventData(event int32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.body
func eventBody(event int32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]event.get
func eventGet(event int32, pointer unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [resource-drop]event
func dropEvent(event int32)

//go:wasmimport hookway:plugin/types@1.0.0 [method]endpoint.id
func endpointID(endpoint int32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]endpoint.url
func endpointURL(endpoint int32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [method]endpoint.metadata
func endpointMetadata(endpoint int32, name unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport hookway:plugin/types@1.0.0 [resource-drop]endpoint
func dropEndpoint(endpoint int32)

// The gateway writes these, so they must not lie on a stack, which moves.
var found slice
var optional struct {
	some uint32
	text slice
}
var value struct {
	some    uint8
	kind    uint64 // null, boolean, number, text, json
	payload uint64
}

func (e hostEvent) ID() string {
	eventID(int32(e), unsafe.Pointer(&found))
	return string(found.bytes())
}

func (e hostEvent) Topic() string {
	eventTopic(int32(e), unsafe.Pointer(&found))
	return string(found.bytes())
}

func (e hostEvent) Tenant() string {
	eventTenant(int32(e), unsafe.Pointer(&found))
	return string(found.bytes())
}

func (e hostEvent) TimestampMs() uint64 { return eventTimestamp(int32(e)) }

func (e hostEvent) Data() []byte {
	eventData(int32(e), unsafe.Pointer(&found))
	return found.bytes()
}

func (e hostEvent) Body() []byte {
	eventBody(int32(e), unsafe.Pointer(&found))
	return found.bytes()
}

func (e hostEvent) Get(pointer string) (any, bool) {
	eventGet(int32(e), unsafe.Pointer(unsafe.StringData(pointer)), uint32(len(pointer)), unsafe.Pointer(&value))
	if value.some == 0 {
		return nil, false
	}
	words := slice{uint32(value.payload), uint32(value.payload >> 32)}
	switch uint8(value.kind) {
	case 1:
		return uint8(value.payload) == 1, true
	case 2:
		return math.Float64frombits(value.payload), true
	case 3:
		return string(words.bytes()), true
	case 4:
		return json.RawMessage(words.bytes()), true
	}
	return nil, true
}

func (e hostEndpoint) ID() string {
	endpointID(int32(e), unsafe.Pointer(&found))
	return string(found.bytes())
}

func (e hostEndpoint) URL() string {
	endpointURL(int32(e), unsafe.Pointer(&found))
	return string(found.bytes())
}

func (e hostEndpoint) Metadata(name string) (string, bool) {
	endpointMetadata(int32(e), unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), unsafe.Pointer(&optional))
	if optional.some == 0 {
		return "", false
	}
	return string(optional.text.bytes()), true
}

// result<_, string>
var initResult struct {
	failed uint32
	err    slice
}

//go:wasmexport hookway:plugin/lifecycle@1.0.0#init
func exportInit(config, length uint32) unsafe.Pointer {
	initResult.failed = 0
	if err := configure(slice{config, length}.bytes()); err != nil {
		initResult.failed, initResult.err = 1, text(err.Error())
	}
	return unsafe.Pointer(&initResult)
}

//go:wasmexport cabi_post_hookway:plugin/lifecycle@1.0.0#init
func postInit(result uint32) { letGo() }
