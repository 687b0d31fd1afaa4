package timeline

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// The events of startgate's log that matter. cmd/startgate has them all.
const (
	GateWaiting        = "waiting"
	GateAnswerChanged  = "answer_changed"
	GateStillWaiting   = "still_waiting"
	GateStarting       = "starting"
	GateGaveUp         = "gave_up"
	GateStopped        = "stopped"
	GateFailed         = "failed"
	GateExited         = "exited"
	GateReady          = "ready"
	GateReleased       = "released"
	GateQuitRejected   = "quit_rejected"
	GateQuitUnanswered = "quit_unanswered"
	GateQuitNeverSeen  = "quit_never_seen"
	GateQuitSkipped    = "quit_skipped"
	GateQuitStopped    = "quit_stopped"
)

// pair is a key and a value of startgate's text log.
var pair = regexp.MustCompile(`([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)`)

// parseGate reads a line of startgate's, in either format.
func parseGate(text string) (fields map[string]string, ok bool) {
	switch {
	case strings.Contains(text, "logger=startgate"):
		fields = map[string]string{}
		for _, found := range pair.FindAllStringSubmatch(text, -1) {
			value := found[2]
			if unquoted := ""; json.Unmarshal([]byte(value), &unquoted) == nil {
				value = unquoted
			}
			if _, again := fields[found[1]]; !again {
				fields[found[1]] = value
			}
		}
		// In JSON the message ends in the answer; in text only the key may have it.
		if answer := fields["answer"]; !strings.HasSuffix(fields["msg"], answer) {
			fields["msg"] += ": " + answer
		}
	case strings.Contains(text, `"logger":"startgate"`):
		var object map[string]any
		if json.Unmarshal([]byte(text), &object) != nil {
			return nil, false
		}
		fields = map[string]string{}
		for key, value := range object {
			fields[strings.Replace(key, "message", "msg", 1)] = fmt.Sprint(value)
		}
	default:
		return nil, false
	}
	return fields, fields["event"] != ""
}
