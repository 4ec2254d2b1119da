//go:build wasip1

package main

import "unsafe"

//go:wasmimport [export]hookway:plugin/topic-matcher@1.0.0 [resource-new]matcher
func newMatcher(number int32) int32

// The gateway knows matchers by their numbers.
var matchers = map[int32]matcher{}
var lastMatcher int32

// result<matcher, string>
var compileResult struct {
	failed uint32
	handle int32
	length uint32
}

//go:wasmexport hookway:plugin/topic-matcher@1.0.0#[static]matcher.compile
func exportCompile(patterns, length uint32) unsafe.Pointer {
	tidy()
	given := unsafe.Slice((*slice)(unsafe.Pointer(uintptr(patterns))), length)
	texts := make([]string, len(given))
	for index, pattern := range given {
		texts[index] = string(pattern.bytes())
	}
	compiled, err := compile(texts)
	if err != nil {
		reason := text(err.Error())
		compileResult.failed, compileResult.handle, compileResult.length = 1, int32(reason.data), reason.length
		return unsafe.Pointer(&compileResult)
	}
	lastMatcher++
	matchers[lastMatcher] = compiled
	compileResult.failed, compileResult.handle = 0, newMatcher(lastMatcher)
	return unsafe.Pointer(&compileResult)
}

//go:wasmexport cabi_post_hookway:plugin/topic-matcher@1.0.0#[static]matcher.compile
func postCompile(result uint32) { letGo() }

//go:wasmexport hookway:plugin/topic-matcher@1.0.0#[method]matcher.matches
func exportMatches(number int32, topic, length uint32) int32 {
	tidy()
	matches := matchers[number].matches(string(slice{topic, length}.bytes()))
	letGo()
	if matches {
		return 1
	}
	return 0
}

//go:wasmexport hookway:plugin/topic-matcher@1.0.0#[dtor]matcher
func dropMatcher(number int32) { delete(matchers, number) }
