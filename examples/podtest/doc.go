// Package podtest runs the manifests in the folders of examples/ as pods, with podman
// and with images that it builds from their Dockerfiles. The pods are what users
// deploy, except that a stand-in (standin/) plays each sidecar whose image the tests
// do not have. From the top of the repository, as root:
//
//	go test ./examples/podtest
//	go test ./examples/podtest -run TestJobEndings
//
// The tests need the Debian packages podman, buildah, conmon, runc and busybox-static;
// one of them also needs prometheus-node-exporter, another one qemu-user-static, that of
// the compose file podman-compose, netavark, aardvark-dns, redis-server and postgresql. A
// test is skipped if something that it needs is missing. With -short almost all pods
// are left out.
package podtest
