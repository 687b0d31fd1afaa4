// Package rivals has the versions of other waiting tools that the tests and benchmarks
// put beside startgate. It is a separate module, so that startgate does not require them.
//
//	go build -o DIRECTORY/ tool
package rivals
