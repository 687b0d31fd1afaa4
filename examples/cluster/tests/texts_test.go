package tests

// What these tests read of startgate: its log by the events, and what is for people only
// where there is nothing else.
const (
	logWaiting   = "event=waiting target=istio "
	logStarting  = "event=starting "
	logComesLate = "event=quit_waiting target=istio"
	logWarning   = "event=warning"
	gaveUp       = "istio not ready after" // in its termination message
	endedByTERM  = "ended by SIGTERM"      // also there
)

// waitingFor is the event of a wait for another target.
func waitingFor(target string) string { return "event=waiting target=" + target + " " }
