//go:build !wasip1

package main

import "fmt"

// Log writes a line where `go test` shows it when a test fails.
func Log(level Level, message string) { fmt.Println(level, message) }
