// Command compose-check reads compose files the way `docker compose config --quiet` does: with docker compose's own loader,
// which knows every key, its type, and what refers to what.
//
// Arguments are compose files, each judged by itself. The exit code is 0 when all can be used, 1 when any can't, and 2 when
// there was nothing to check. It starts nothing and looks at no image.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

// plain puts a complaint on one line; the schema library's words for an unknown key say nothing to a person.
var plain = strings.NewReplacer("\n", " ", " false schema", ": there is no such key")

func main() {
	files := os.Args[1:]
	if len(files) == 0 {
		fmt.Fprintln(os.Stderr, "compose-check: no file to check; usage: compose-check FILE...")
		os.Exit(2)
	}
	failed := false
	for _, file := range files {
		services, err := load(file)
		if err != nil {
			failed = true
			fmt.Printf("%s: WRONG: %s\n", file, plain.Replace(err.Error()))
			continue
		}
		fmt.Printf("%s: correct, %d services\n", file, services)
	}
	if failed {
		os.Exit(1)
	}
}

// load reads one file and returns how many services it has.
func load(file string) (int, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithEnvFiles(), cli.WithDotEnv)
	if err != nil {
		return 0, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return 0, err
	}
	if len(project.Services) == 0 {
		return 0, errors.New("it has no service")
	}
	return len(project.Services), nil
}
