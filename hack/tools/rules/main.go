// Checks files of Prometheus rules as Prometheus does when it loads them, and prints what their expressions
// ask for: a line a selector, the metric and the names of the labels that it is chosen by.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func check(file string) error {
	language := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.ParseFile(file, false, model.LegacyValidation, language, slog.Default())
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			expression, err := language.ParseExpr(rule.Expr)
			if err != nil {
				return err
			}
			for _, selector := range parser.ExtractSelectors(expression) {
				fmt.Println(words(selector))
			}
		}
	}
	return nil
}

func words(selector []*labels.Matcher) string {
	var metric string
	var by []string
	for _, matcher := range selector {
		if matcher.Name == model.MetricNameLabel {
			metric = matcher.Value
		} else {
			by = append(by, matcher.Name)
		}
	}
	return strings.Join(append([]string{metric}, by...), " ")
}
