// Command crdb-parser asks CockroachDB's own parser whether it accepts our SQL.
//
// Arguments are SQL files; each statement in them is judged by itself. Without arguments, standard input
// holds one JSON object a line, {"name": "...", "sql": "..."}, and each object must hold a statement.
//
// Every rejected statement is one line on standard output: its name, the SQLSTATE, the reason. The name of a
// statement from a file is FILE:LINE. The exit code is 0 when all were accepted, 1 when any was rejected, and
// 2 when the input could not be read or held no statement at all, so that an empty check never passes.
//
// Syntax only: the parser knows neither tables nor functions nor types. CockroachDB-only clauses in /*crdb .. */
// are comments to it; whoever calls opens them first.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/cockroachdb-parser/pkg/sql/parser"
	"github.com/cockroachdb/cockroachdb-parser/pkg/sql/pgwire/pgerror"

	// Without it, a statement with a PL/pgSQL body panics the parser.
	_ "github.com/cockroachdb/cockroachdb-parser/pkg/sql/plpgsql/parser"
)

// statement is one thing to judge, under the name that a complaint about it carries.
type statement struct {
	Name string `json:"name"`
	SQL  string `json:"sql"`
}

func main() {
	statements, err := read(os.Args[1:], os.Stdin)
	if err == nil && len(statements) == 0 {
		err = errors.New("no statement to check")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crdb-parser:", err)
		os.Exit(2)
	}
	rejected := 0
	for _, s := range statements {
		if complaint := judge(s.SQL); complaint != "" {
			rejected++
			fmt.Printf("%s: %s\n", s.Name, complaint)
		}
	}
	fmt.Fprintf(os.Stderr, "crdb-parser: %d accepted, %d rejected\n", len(statements)-rejected, rejected)
	if rejected > 0 {
		os.Exit(1)
	}
}

func read(files []string, stdin io.Reader) ([]statement, error) {
	if len(files) == 0 {
		return readRecords(stdin)
	}
	var all []statement
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, split(file, string(text))...)
	}
	return all, nil
}

func readRecords(in io.Reader) ([]statement, error) {
	var all []statement
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, readErr := lines.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			var s statement
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				return nil, fmt.Errorf("line %d of standard input: %w", number, err)
			}
			all = append(all, s)
		}
		if readErr == io.EOF {
			return all, nil
		} else if readErr != nil {
			return nil, readErr
		}
	}
}

// split cuts a file into its statements. What follows the last semicolon counts only if it is more than comments.
func split(file, text string) []statement {
	var all []statement
	for start := 0; start < len(text); {
		length, complete := parser.SplitFirstStatement(text[start:])
		if !complete {
			length = len(text) - start
		}
		sql := text[start : start+length]
		if complete || !isEmpty(sql) {
			blank := len(sql) - len(strings.TrimLeft(sql, " \t\r\n"))
			line := 1 + strings.Count(text[:start+blank], "\n")
			all = append(all, statement{Name: fmt.Sprintf("%s:%d", file, line), SQL: sql})
		}
		start += length
	}
	return all
}

// judge says in one line what is wrong with the SQL, or nothing.
func judge(sql string) string {
	parsed, err := parser.Parse(sql)
	switch {
	case err != nil:
		flat := pgerror.Flatten(err)
		return strings.Join(strings.Fields(flat.Code+" "+flat.Message), " ")
	case len(parsed) == 0:
		return "42601 no statement here"
	}
	return ""
}

func isEmpty(sql string) bool {
	parsed, err := parser.Parse(sql)
	return err == nil && len(parsed) == 0
}
