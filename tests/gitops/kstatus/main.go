// Asks the library by which Flux, Helm 4 and kubectl's relatives judge objects what it makes of every state of a run, and evaluates
// the expressions of examples/gitops/flux beside it. Usage: kstatus RUNS FLUX, both files of the repository.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

// What each state has to read as, by what stands in the design's table of conditions.
var wanted = map[string]status.Status{
	"queued":                         status.InProgressStatus,
	"migrating":                      status.InProgressStatus,
	"retrying by itself":             status.InProgressStatus,
	"suspended":                      status.InProgressStatus,
	"stalled":                        status.FailedStatus,
	"clean, its target is not there": status.InProgressStatus,
	"clean, gate open":               status.CurrentStatus,
	"clean, no targets":              status.CurrentStatus,
	"clean, its rollout fails":       status.CurrentStatus,
	"rolling back":                   status.InProgressStatus,
	"rolled back":                    status.FailedStatus,
	"created, and seen by nobody":    status.InProgressStatus,
	"clean, and changed since":       status.InProgressStatus,
}

// The expressions.
type check struct {
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

func main() {
	if len(os.Args) != 3 {
		fail("usage: kstatus RUNS FLUX")
	}
	runs, checks := states(os.Args[1]), expressions(os.Args[2])
	wrong := 0
	for name, run := range runs {
		want, known := wanted[name]
		if !known {
			fail("%q is a new state: say in main.go what it has to read as", name)
		}
		result, err := status.Compute(&unstructured.Unstructured{Object: run})
		if err != nil {
			fail("%s: %v", name, err)
		}
		byExpression := evaluate(checks, run)
		fmt.Printf("%-32s %-11s %-11s\n", name, result.Status, byExpression)
		if result.Status != want || byExpression != want {
			fmt.Printf("  should be %s\n", want)
			wrong++
		}
	}
	if len(runs) != len(wanted) {
		fail("%d states are expected, and %d are there", len(wanted), len(runs))
	}
	if wrong > 0 {
		fail("%d states are read wrongly", wrong)
	}
}

// The operator's own objects, and two that it does not make.
func states(path string) map[string]map[string]any {
	text := read(path)
	parts := strings.SplitN(text, "---\n", 3)
	var runs map[string]map[string]any
	must(json.Unmarshal([]byte(parts[len(parts)-1]), &runs))
	runs["created, and seen by nobody"] = map[string]any{
		"apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun",
		"metadata": map[string]any{"name": "shop", "generation": float64(1)},
		"status":   map[string]any{"observedGeneration": float64(-1)},
	}
	changed := copied(runs["clean, gate open"])
	changed["metadata"].(map[string]any)["generation"] = float64(2)
	runs["clean, and changed since"] = changed
	for name, run := range runs {
		runs[name] = integers(run).(map[string]any)
	}
	return runs
}

func copied(run map[string]any) map[string]any {
	text, err := json.Marshal(run)
	must(err)
	var copy map[string]any
	must(json.Unmarshal(text, &copy))
	return copy
}

// Numbers as the API machinery reads them.
func integers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			value[key] = integers(inner)
		}
	case []any:
		for at, inner := range value {
			value[at] = integers(inner)
		}
	case float64:
		return int64(value)
	}
	return value
}

func expressions(path string) check {
	for _, document := range strings.Split(read(path), "\n---\n") {
		var found struct {
			Spec struct {
				HealthCheckExprs []check `json:"healthCheckExprs"`
			} `json:"spec"`
		}
		must(yaml.Unmarshal([]byte(document), &found))
		if len(found.Spec.HealthCheckExprs) == 1 {
			return found.Spec.HealthCheckExprs[0]
		}
	}
	fail("%s has no expressions", path)
	return check{}
}

// What the expressions say, whatever the order in which they are asked: exactly one has to hold, and none may err, since Flux waits for a field that is absent.
func evaluate(asked check, run map[string]any) status.Status {
	env, err := cel.NewEnv(cel.Variable("metadata", cel.DynType), cel.Variable("status", cel.DynType))
	must(err)
	holds := func(text string) bool {
		ast, issues := env.Compile(text)
		must(issues.Err())
		program, err := env.Program(ast)
		must(err)
		value, _, err := program.Eval(map[string]any{"metadata": run["metadata"], "status": run["status"]})
		must(err)
		return value.Value() == true
	}
	var all []status.Status
	for _, each := range []struct {
		text string
		as   status.Status
	}{
		{asked.InProgress, status.InProgressStatus},
		{asked.Failed, status.FailedStatus},
		{asked.Current, status.CurrentStatus},
	} {
		if holds(each.text) {
			all = append(all, each.as)
		}
	}
	if len(all) != 1 {
		return status.UnknownStatus
	}
	return all[0]
}

func read(path string) string {
	text, err := os.ReadFile(path)
	must(err)
	return string(text)
}

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "kstatus: "+format+"\n", values...)
	os.Exit(1)
}
