// A plugin with a language for topics in which a pattern accepts every topic that begins with it.
package main

import (
	"fmt"
	"strings"
)

// The patterns of one endpoint.
type matcher []string

// Once for the patterns of an endpoint: compile and parse here.
func compile(patterns []string) (matcher, error) {
	for index, pattern := range patterns {
		if pattern == "" {
			return nil, fmt.Errorf("pattern %d is empty: write how topics begin, such as `orders/`", index+1)
		}
	}
	return patterns, nil
}

// The same answer for the same topic, always: the gateway keeps it.
func (m matcher) matches(topic string) bool {
	for _, beginning := range m {
		if strings.HasPrefix(topic, beginning) {
			return true
		}
	}
	return false
}

// A library, not a program.
func main() {}
