package main

import (
	"strings"
	"testing"
)

// A line of text has the target's answer once. In JSON the message has it too, because some
// views show nothing else.
func TestAnswerInTheLog(t *testing.T) {
	for format, want := range map[logFormat]string{
		"text":     `msg="it is not ready yet" logger=startgate event=answer_changed answer="status 503"`,
		formatJSON: `"message":"it is not ready yet: status 503","logger":"startgate","event":"answer_changed","answer":"status 503"`,
	} {
		var out strings.Builder
		newLog(&out, settings{LogFormat: format}).info(eventAnswerChanged, "it is not ready yet: status 503", "answer", "status 503")
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}
