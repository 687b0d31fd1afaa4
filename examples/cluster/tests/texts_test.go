package tests

// What startgate says, as far as these tests read it.
const (
	logWaiting  = "waiting for istio"
	logStarting = "starting "
	gaveUp      = "istio not ready after" // in its termination message
	endedByTERM = "ended by SIGTERM"      // also there
)
