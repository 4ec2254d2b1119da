//go:build wasip1

package main

import "unsafe"

// result<verdict, error>
var filterResult struct {
	failed, isDrop uint32
	reason         slice
}

//go:wasmexport hookway:plugin/filter@1.0.0#filter
func exportFilter(event, to int32) unsafe.Pointer {
	tidy()
	filterResult.isDrop = 0
	if reason := filter(hostEvent(event), hostEndpoint(to)); reason != "" {
		filterResult.isDrop, filterResult.reason = 1, text(reason)
	}
	dropEvent(event)
	dropEndpoint(to)
	return unsafe.Pointer(&filterResult)
}

//go:wasmexport cabi_post_hookway:plugin/filter@1.0.0#filter
func postFilter(result uint32) { letGo() }
