package wait

import "slices"

// Sidecar is what is known of one kind of sidecar.
type Sidecar struct {
	Name   string // what STARTGATE_WAIT_FOR and Parse call it
	Mesh   bool   // it carries the traffic of the pod, also that of other sidecars
	Ready  string // the URL that tells whether it is ready, as Parse takes it
	Knock  string // host:port that refuses until shortly before it is ready; may be empty
	Note   string // what a person should know when it does not get ready
	Source string // where these facts come from
}

// sidecars is the one table of sidecars.
var sidecars = []Sidecar{
	{
		Name:  "istio",
		Mesh:  true,
		Ready: "http://localhost:15020/healthz/ready",
		Knock: "localhost:15021",
		Note: "the annotation status.sidecar.istio.io/port moves port 15020, or disables it with 0; " +
			"then wait for the URL instead of the name",
		Source: "istio/istio pilot/cmd/pilot-agent/status/server.go",
	},
}

// Sidecars returns the table of sidecars that [Parse] knows by name.
func Sidecars() []Sidecar { return slices.Clone(sidecars) }
