//go:build wasip1

package main

import "unsafe"

// result<outcome, error>
var transformResult struct {
	failed, isReplace                       uint32
	body                                    slice
	hasContentType                          uint32
	contentType, headersSet, headersRemoved slice
}

type header struct{ name, value slice }

//go:wasmexport hookway:plugin/transform@1.0.0#transform
func exportTransform(event, to int32) unsafe.Pointer {
	tidy()
	request := transform(hostEvent(event), hostEndpoint(to))
	headers := make([]header, 0, len(request.Headers)+1)
	for _, given := range request.Headers {
		headers = append(headers, header{text(given.Name), text(given.Value)})
	}
	transformResult.isReplace = 1
	transformResult.body = blob(request.Body)
	transformResult.headersSet = slice{keep(unsafe.Pointer(unsafe.SliceData(headers))), uint32(len(headers))}
	dropEvent(event)
	dropEndpoint(to)
	return unsafe.Pointer(&transformResult)
}

//go:wasmexport cabi_post_hookway:plugin/transform@1.0.0#transform
func postTransform(result uint32) { letGo() }
