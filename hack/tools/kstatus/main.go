// Says of each JSON object on standard input, one after another, what kstatus makes of it: a line a status.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	decoder "encoding/json"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	for objects := decoder.NewDecoder(in); ; {
		var raw decoder.RawMessage
		if err := objects.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		// Of Kubernetes' own decoder: whole numbers are int64, as kstatus wants them.
		var object map[string]any
		if err := json.Unmarshal(raw, &object); err != nil {
			return err
		}
		result, err := status.Compute(&unstructured.Unstructured{Object: object})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s\n", result.Status, result.Message)
	}
}
