// Package istio puts Istio into a cluster of package node: istiod with its stock
// installation, and in each injected pod Istio's own istio-init and agent. They are built
// from Istio's module, unmodified. Only Envoy is a stand-in: see programs/envoy.
//
// Istio injects pods with the label sidecar.istio.io/inject: "true" into namespaces with
// the label istio-injection: enabled.
package istio
