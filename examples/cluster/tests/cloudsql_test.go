package tests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/startgate/startgate/examples/cluster/node"
)

// importCloudSQL gives the cluster the Cloud SQL Auth Proxy itself, under the name that
// examples/job-cloudsql has for it.
var importCloudSQL = sync.OnceValue(func() error {
	manifest, err := os.ReadFile("../../job-cloudsql/job.yaml")
	if err != nil {
		return err
	}
	name := regexp.MustCompile(`gcr\.io/cloud-sql-connectors/cloud-sql-proxy:\S+`).FindString(string(manifest))
	source, err := filepath.Abs("../cloudsql")
	if err != nil {
		return err
	}
	say := func(text string) { fmt.Fprintln(os.Stderr, text) }
	bin, err := node.BuildPrograms(context.Background(), source, []string{"github.com/GoogleCloudPlatform/cloud-sql-proxy/v2"}, say)
	if err != nil {
		return err
	}
	return cluster.Import(node.Image{
		Name:   name,
		Config: node.Config{Entrypoint: []string{"/cloud-sql-proxy"}, User: "65532:65532"},
		Layers: []node.Layer{{{Path: "/cloud-sql-proxy", From: filepath.Join(bin, "cloud-sql-proxy")}}},
	})
})

// The Job of examples/job-cloudsql completes beside the Cloud SQL Auth Proxy itself. It
// gets a token, because it is not in Google's cloud, and connects to no database.
func TestCloudSQLProxy(t *testing.T) {
	t.Parallel()
	need(t)
	if testing.Short() {
		t.Skip("long")
	}
	if err := importCloudSQL(); err != nil {
		t.Fatal(err)
	}
	n := newNamespace(t)
	manifest, err := os.ReadFile("../../job-cloudsql/job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n.apply(strings.Replace(string(manifest), "- project:region:instance", "- --token=none\n        - project:region:instance", 1))
	end, reason := n.waitForJob("migrate")
	pod := n.podOfJob("migrate")
	t.Logf("%s\n%s", n.log(pod, "migrate"), n.log(pod, "cloud-sql-proxy"))
	if end != batchv1.JobComplete {
		t.Errorf("the Job is %s: %s", end, reason)
	}
	if codes := n.codes(pod, "cloud-sql-proxy"); len(codes) != 1 || codes[0] != 0 {
		t.Errorf("the proxy ended with %v", codes)
	}
}
