package main

// Level is how much a line of the log matters.
type Level int32

// The levels, least first.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)
