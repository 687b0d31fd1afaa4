package main

// These tests hold the generated tables of README.md to the code, and the settings,
// commands and links of README.md and of the examples' pages.

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
	"github.com/startgate/startgate/wait"
)

const readmeFile = "../../README.md"

// TestREADMETables finds a table that differs from the code. Rewrite them with
//
//	go test ./cmd/startgate -run README -update # and ./cmd/startgate/tests for the faults
func TestREADMETables(t *testing.T) {
	for name, table := range map[string][][]string{
		"sidecar-hints": sidecarHintsTable(),
		"injected":      injectedTable(),

		"settings": settingsTable(),
		"codes":    codesTable(),
		"sidecars": sidecarsTable(),
		"events":   eventsTable(),
	} {
		markdown.CheckTable(t, readmeFile, name, table)
	}
}

func settingsTable() [][]string {
	rows := [][]string{{"variable", "default", "meaning"}}
	for _, s := range describeSettings() {
		rows = append(rows, []string{markdown.Code(s.Name), markdown.Code(s.Default), s.Meaning})
	}
	return rows
}

func codesTable() [][]string {
	rows := [][]string{{"code", "meaning"}}
	for _, c := range codes {
		rows = append(rows, []string{c.Code, c.Meaning})
	}
	return rows
}

func eventsTable() [][]string {
	rows := [][]string{{"event", "meaning"}}
	for _, e := range events {
		rows = append(rows, []string{markdown.Code(string(e.Name)), e.Meaning})
	}
	return rows
}

func sidecarsTable() [][]string {
	rows := [][]string{{"name", "ready URL", "shut down at"}}
	for _, s := range wait.Sidecars() {
		rows = append(rows, []string{markdown.Code(s.Name), markdown.Code(strings.Join(s.Ready, "` or `")), markdown.Code(s.Quit)})
	}
	return rows
}

func sidecarHintsTable() [][]string {
	rows := [][]string{{"name", "if nothing answers", "if it does not shut down"}}
	for _, s := range wait.Sidecars() {
		rows = append(rows, []string{markdown.Code(s.Name), cmp.Or(s.RefusedHint, s.Note), s.QuitHint})
	}
	return rows
}

func injectedTable() [][]string {
	rows := [][]string{{"name", "`fieldPath`"}}
	for _, s := range wait.Sidecars() {
		if s.Injected != "" {
			rows = append(rows, []string{markdown.Code(s.Name), markdown.Code(s.Injected)})
		}
	}
	return rows
}

// TestREADMEKnocks finds a port at which a sidecar is knocked at and that nobody is told of.
func TestREADMEKnocks(t *testing.T) {
	text := strings.Join(strings.Fields(markdown.Read(t, readmeFile)), " ")
	for _, s := range wait.Sidecars() {
		if s.EarlyKnock != "" && !strings.Contains(text, "`"+s.EarlyKnock+"` for `"+s.Name+"`") {
			t.Errorf("README.md does not say that %s is knocked at %s", s.Name, s.EarlyKnock)
		}
	}
}

// TestREADMESettings finds a setting on any page that does not exist, and one that nobody
// is told of in README.md.
func TestREADMESettings(t *testing.T) {
	var known []string
	text := markdown.Read(t, readmeFile)
	for _, s := range describeSettings() {
		known = append(known, s.Name)
		if !strings.Contains(text, s.Name) {
			t.Errorf("%s is not mentioned", s.Name)
		}
	}
	for _, page := range markdown.Pages(t, "../..") {
		for _, name := range regexp.MustCompile(`STARTGATE_\w+`).FindAllString(markdown.Read(t, page), -1) {
			if !slices.Contains(known, name) && name != prefix+"_" {
				t.Errorf("%s: %s is no setting", page, name)
			}
		}
	}
}

// ownCommand matches a command line of startgate's in a shell's line.
var ownCommand = regexp.MustCompile(`(?m)(?:^|/)startgate (--[^#\n]*)`)

// TestREADMECommands finds a command that a shell cannot read, and a flag, a package or a
// file that does not exist.
func TestREADMECommands(t *testing.T) {
	for _, page := range markdown.Pages(t, "../..") {
		for _, block := range markdown.FindBlocks(t, page, "sh") {
			check := exec.Command("sh", "-n")
			check.Stdin = strings.NewReader(block)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: sh -n: %v: %s\n%s", page, err, out, block)
			}
			for _, path := range regexp.MustCompile(`(?m)(?:\./|-f |-k |kustomize )(examples/[\w/-]+(?:\.\w+)*)`).FindAllStringSubmatch(block, -1) {
				if _, err := os.Stat(filepath.Join("../..", path[1])); err != nil {
					t.Errorf("%s: %v", page, err)
				}
			}
			for _, args := range ownCommand.FindAllStringSubmatch(block, -1) {
				if _, err := parseArgs(strings.Fields(args[1])); err != nil {
					t.Errorf("%s: startgate %s: %v", page, args[1], err)
				}
			}
		}
	}
}

// TestREADMELinks finds a link to a file or a heading that does not exist.
func TestREADMELinks(t *testing.T) {
	for _, page := range markdown.Pages(t, "../..") {
		links := markdown.Links(t, page)
		for _, link := range links {
			file, anchor, _ := strings.Cut(link, "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s: %s: %v", page, link, err)
				continue
			}
			if info.IsDir() {
				target = filepath.Join(target, "README.md")
			}
			if anchor != "" && !slices.Contains(markdown.Anchors(t, target), anchor) {
				t.Errorf("%s: %s has no heading #%s", page, target, anchor)
			}
		}
	}
}

// TestREADMEPages finds a folder of examples that has a README which examples/README.md does
// not link.
func TestREADMEPages(t *testing.T) {
	index := markdown.Links(t, "../../examples/README.md")
	for _, page := range markdown.Pages(t, "../..") {
		dir, found := strings.CutPrefix(filepath.Dir(page), filepath.Join("../..", "examples")+"/")
		if found && !slices.Contains(index, dir) {
			t.Errorf("examples/README.md has no link to %s", dir)
		}
	}
}
