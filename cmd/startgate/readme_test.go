package main

// These tests hold the generated tables of README.md, and its settings and commands, to the code.

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
	rows := [][]string{{"name", "ready URL", "also knocked at", "if it does not answer", "shut down at", "if it does not accept that", "was injected if the pod has"}}
	for _, s := range wait.Sidecars() {
		ready := markdown.Code(strings.Join(s.Ready, "` or `"))
		rows = append(rows, []string{markdown.Code(s.Name), ready, markdown.Code(s.EarlyKnock), cmp.Or(s.RefusedHint, s.Note), markdown.Code(s.Quit), s.QuitHint, markdown.Code(s.Injected)})
	}
	return rows
}

// TestREADMESettings finds a setting that does not exist, and one that nobody is
// told of.
func TestREADMESettings(t *testing.T) {
	mentioned := regexp.MustCompile(`STARTGATE_\w+`).FindAllString(markdown.Read(t, readmeFile), -1)
	var known []string
	for _, s := range describeSettings() {
		known = append(known, s.Name)
		if !slices.Contains(mentioned, s.Name) {
			t.Errorf("%s is not mentioned", s.Name)
		}
	}
	for _, name := range mentioned {
		if !slices.Contains(known, name) {
			t.Errorf("%s is no setting", name)
		}
	}
}

// TestREADMECommands finds a command that a shell cannot read, and a flag or a
// package that does not exist.
func TestREADMECommands(t *testing.T) {
	for _, block := range markdown.Blocks(t, readmeFile, "sh") {
		check := exec.Command("sh", "-n")
		check.Stdin = strings.NewReader(block)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("sh -n: %v: %s\n%s", err, out, block)
		}
		for _, path := range regexp.MustCompile(`\./[\w/]+`).FindAllString(block, -1) {
			if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
				t.Error(err)
			}
		}
		for _, args := range regexp.MustCompile(`(?m)^startgate ([^#\n]+)`).FindAllStringSubmatch(block, -1) {
			if _, err := parseArgs(strings.Fields(args[1])); err != nil {
				t.Errorf("startgate %s: %v", args[1], err)
			}
		}
	}
}
