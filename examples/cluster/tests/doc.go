// Package tests makes the README's statements about pods true on a real Kubernetes: one
// cluster for all tests, and a namespace for each.
package tests
