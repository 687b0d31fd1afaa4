package timeline

import "testing"

// TestGate has lines as startgate prints them.
func TestGate(t *testing.T) {
	for _, line := range []string{
		`time=2026-11-25T17:02:03.519Z level=INFO msg="still waiting for istio after 1s" logger=startgate event=still_waiting target=istio answer="GET http://localhost:15020/healthz/ready: connection refused" elapsed=1s hint="Set \"none\"" docs=https://github.com/startgate/startgate#not-in-a-pod`,
		`{"time":"2026-11-25T17:02:04.787634885Z","severity":"INFO","message":"still waiting for istio after 1s: GET http://localhost:15020/healthz/ready: connection refused","logger":"startgate","event":"still_waiting","target":"istio","answer":"GET http://localhost:15020/healthz/ready: connection refused","elapsed_seconds":1,"hint":"Set \"none\"","docs":"https://github.com/startgate/startgate#not-in-a-pod"}`,
	} {
		fields, ok := parseGate(line)
		for key, want := range map[string]string{
			"event": "still_waiting", "target": "istio", "answer": "GET http://localhost:15020/healthz/ready: connection refused", "hint": `Set "none"`,
			"msg": "still waiting for istio after 1s: GET http://localhost:15020/healthz/ready: connection refused", "docs": "https://github.com/startgate/startgate#not-in-a-pod",
		} {
			if !ok || fields[key] != want {
				t.Errorf("%s is %q, want %q in %s", key, fields[key], want, line)
			}
		}
	}
	for _, line := range []string{"", "logger=startgate", `{"logger":"startgate"`, `{"logger":"startgate"}`, "logger=other event=waiting"} {
		if _, ok := parseGate(line); ok {
			t.Errorf("%q is no line of startgate's", line)
		}
	}
}
