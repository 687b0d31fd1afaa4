package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say which cluster Start starts.
type Options struct {
	Version string       // of Kubernetes; empty: DefaultVersion
	Say     func(string) // is told what takes long; nil: nobody is
}

// Cluster is a running cluster.
type Cluster struct {
	Client     kubernetes.Interface
	Kubeconfig string // the file's path

	dir    string
	kube   string
	keeper *exec.Cmd
	stop   io.Closer     // the keeper's standard input
	ended  chan struct{} // closed when the keeper has exited
	err    error         // then: why
}

// Start starts a cluster and returns when its node is ready. The cluster ends with Stop, or
// with this process.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	if options.Version == "" {
		options.Version = DefaultVersion
	}
	if options.Say == nil {
		options.Say = func(string) {}
	}
	module, err := folder()
	if err != nil {
		return nil, err
	}
	kube, err := buildKube(ctx, module, options.Version, options.Say)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "startgate-cluster-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, kube: filepath.Join(dir, "kube"), Kubeconfig: filepath.Join(dir, "kubeconfig"), ended: make(chan struct{})}
	if err := c.start(module, kube, options.Version); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := c.awaitReady(ctx); err != nil {
		_ = c.Stop()
		return nil, fmt.Errorf("the cluster does not come up: %w", err)
	}
	return c, nil
}

// start writes what the node reads, and starts its keeper.
func (c *Cluster) start(module, kube, version string) error {
	if err := os.Symlink(kube, c.kube); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.dir, "log", "pods"), 0o755); err != nil {
		return err
	}
	if err := c.makeImages(filepath.Join(module, "../..")); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	api, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer api.Close()
	if err := writeConfig(c.dir, listener.Addr().String(), version); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	if c.Client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	return c.startKeeper(api)
}

// makeImages builds this repository's programs, and the images of them.
func (c *Cluster) makeImages(repository string) error {
	bin := filepath.Join(c.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", bin + "/"}
	for _, program := range programs {
		args = append(args, "./"+program)
	}
	build := exec.Command("go", args...)
	build.Dir = repository
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build this repository's programs: %w\n%s", err, out)
	}
	images, err := images(repository, bin)
	if err != nil {
		return err
	}
	return writeImages(filepath.Join(c.dir, "images.tar"), images)
}

func (c *Cluster) startKeeper(api *os.File) error {
	var stderr bytes.Buffer
	c.keeper = again(keeperRole, c.dir, api)
	c.keeper.Stderr = &stderr
	c.keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if c.stop, err = c.keeper.StdinPipe(); err != nil {
		return err
	}
	if err := c.keeper.Start(); err != nil {
		return err
	}
	go func() {
		if err := c.keeper.Wait(); err != nil {
			c.err = fmt.Errorf("%w\n%s", err, stderr.Bytes())
		}
		close(c.ended)
	}()
	return nil
}

// Ended is closed when the cluster has ended, by Stop or by itself.
func (c *Cluster) Ended() <-chan struct{} { return c.ended }

// Stop ends the cluster and returns when nothing is left of it. The error is why it has
// ended before, or what is left.
func (c *Cluster) Stop() error {
	_ = c.stop.Close()
	<-c.ended
	return c.err
}

// awaitReady waits until pods can be made: the node is ready and the default service
// account is there.
func (c *Cluster) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for !c.isReady(ctx) {
		select {
		case <-c.ended:
			return c.err
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", ctx.Err(), c.Log("kubelet", "", 20))
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func (c *Cluster) isReady(ctx context.Context) bool {
	node, err := c.Client.CoreV1().Nodes().Get(ctx, "node", metav1.GetOptions{})
	if err != nil {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			_, err := c.Client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
			return err == nil
		}
	}
	return false
}
