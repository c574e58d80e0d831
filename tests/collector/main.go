// Command collector takes traces over HTTP as an OpenTelemetry collector reads them, by that one's own code, and prints each
// request as a line of JSON, as that code writes it.
//
// The only argument is the address to listen on. It ends when its standard input does. What HTTP needs is here: a collector's
// whole receiver takes ten times as long to build, for gRPC, TLS and settings that no test asks for.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "collector: usage: collector ADDRESS")
		os.Exit(2)
	}
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "collector:", err)
		os.Exit(1)
	}
}

// serve takes traces until standard input ends.
func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	http.HandleFunc("POST /v1/traces", take)
	go func() { _ = http.Serve(listener, nil) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return listener.Close()
}

// take prints a request and answers as OTLP over HTTP wants it: in the form of the request, here with nothing to tell.
func take(answer http.ResponseWriter, request *http.Request) {
	const protobuf = "application/x-protobuf"
	if request.Header.Get("Content-Type") != protobuf {
		http.Error(answer, "only protobuf is taken", http.StatusUnsupportedMediaType)
		return
	}
	line, err := read(request.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, "collector:", err)
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Println(line)
	answer.Header().Set("Content-Type", protobuf)
}

func read(body io.Reader) (string, error) {
	bytes, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	traces, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(bytes)
	if err != nil {
		return "", err
	}
	line, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
	return string(line), err
}
