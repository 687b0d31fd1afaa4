package main

// event says what a line of the log is about. Filters and alerts go by it: the list is closed, and
// its names stay.
type event string

// The events of a run, in the order in which they may come.
const (
	eventWaiting        event = "waiting"
	eventAnswerChanged  event = "answer_changed"
	eventStillWaiting   event = "still_waiting"
	eventReady          event = "ready"
	eventSkipped        event = "skipped"
	eventReleased       event = "released"
	eventStarting       event = "starting"
	eventGaveUp         event = "gave_up"
	eventStopped        event = "stopped"
	eventFailed         event = "failed"
	eventExited         event = "exited"
	eventQuitWaiting    event = "quit_waiting"
	eventQuitAccepted   event = "quit_accepted"
	eventQuitGone       event = "quit_gone"
	eventQuitRejected   event = "quit_rejected"
	eventQuitUnanswered event = "quit_unanswered"
	eventQuitNeverSeen  event = "quit_never_seen"
	eventQuitSkipped    event = "quit_skipped"
	eventQuitStopped    event = "quit_stopped"
	eventInstalled      event = "installed"
	eventWarning        event = "warning"
	eventProbe          event = "probe"
)

// events describe all events to a user.
var events = []struct {
	Name    event
	Meaning string
}{
	{eventWaiting, "startgate begins to wait for a target"},
	{eventAnswerChanged, "the target gives its first answer, or an answer of another kind"},
	{eventStillWaiting, "the wait goes on: after 1, 2, 5, 10, 20 and 30 s, then every 30 s"},
	{eventReady, "the target is ready"},
	{eventSkipped, "startgate does not wait for a target, or does not shut it down: it is not there"},
	{eventReleased, "a user ended the wait with --release"},
	{eventStarting, "startgate starts the application"},
	{eventGaveUp, "the time is up: code 124, or with STARTGATE_ON_TIMEOUT=start the application starts"},
	{eventStopped, "a signal stopped startgate before the application started"},
	{eventFailed, "startgate could not do its work: a mistake in a setting, or a program that cannot be run"},
	{eventExited, "the supervised application exited"},
	{eventQuitWaiting, "the application could not be started, and startgate waits for the sidecar to start, to shut it down"},
	{eventQuitAccepted, "the sidecar accepted the shutdown request; the message says whether it is gone"},
	{eventQuitGone, "the sidecar was gone before it was asked"},
	{eventQuitRejected, "the sidecar did not accept the shutdown request"},
	{eventQuitUnanswered, "the sidecar did not answer the shutdown request"},
	{eventQuitNeverSeen, "the sidecar never answered; if it starts later, it keeps the pod"},
	{eventQuitSkipped, "the application failed, and STARTGATE_QUIT_ON=success"},
	{eventQuitStopped, "a signal stopped the shutdown requests"},
	{eventInstalled, "--install has copied the binary"},
	{eventWarning, "something may be wrong, and startgate goes on"},
	{eventProbe, "one probe, at the level debug"},
}
