package main

// Request is what is sent instead.
type Request struct {
	Body    []byte
	Headers []Header // set or replaced
}

// Header is one header of the request.
type Header struct{ Name, Value string }
