// Package node runs an unmodified Kubernetes of one node on this machine, in namespaces of
// its own.
//
//	this process      Start: builds what is needed, writes the configuration, waits
//	└ keeper          ends the node when its parent ends, and removes what is left
//	  └ init          PID 1 of the node's namespaces: reaps orphans
//	    └ node        sets up the namespaces, and starts:
//	      ├ etcd, containerd
//	      └ kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy
//
// The three processes between are this program again: its main function, or TestMain, must
// call Main first.
package node
