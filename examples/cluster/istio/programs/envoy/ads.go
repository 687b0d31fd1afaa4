package main

import (
	"context"
	"log"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
)

// agentSocket is where the agent hands on istiod's configuration.
const agentSocket = "unix:etc/istio/proxy/XDS"

const (
	clusters  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	listeners = "type.googleapis.com/envoy.config.listener.v3.Listener"
)

// subscriber receives the configuration, over one stream after the other.
type subscriber struct {
	node       *core.Node
	state      *state
	configured func() // called when clusters and listeners have come
}

// receive keeps a stream open for ever. It closes configured when the first configuration
// has come.
func receive(node *core.Node, state *state, configured chan struct{}) {
	s := subscriber{node: node, state: state, configured: sync.OnceFunc(func() { close(configured) })}
	for ; ; time.Sleep(500 * time.Millisecond) {
		// The words of Envoy's own warning.
		log.Printf("StreamAggregatedResources gRPC config stream to xds-grpc closed: %v", s.stream(context.Background()))
	}
}

type stream = grpc.BidiStreamingClient[discovery.DiscoveryRequest, discovery.DiscoveryResponse]

// stream reads one stream to its end. It asks for clusters first, and for listeners when
// it has clusters, as Envoy does.
func (s *subscriber) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := grpc.NewClient(agentSocket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&discovery.DiscoveryRequest{Node: s.node, TypeUrl: clusters}); err != nil {
		return err
	}
	subscribed := false
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := s.answer(stream, response); err != nil {
			return err
		}
		if response.TypeUrl == clusters && !subscribed {
			subscribed = true
			if err := stream.Send(&discovery.DiscoveryRequest{Node: s.node, TypeUrl: listeners}); err != nil {
				return err
			}
		}
	}
}

// answer accepts what has come, or rejects it, and counts that.
func (s *subscriber) answer(stream stream, response *discovery.DiscoveryResponse) error {
	request := &discovery.DiscoveryRequest{
		Node: s.node, TypeUrl: response.TypeUrl, VersionInfo: response.VersionInfo, ResponseNonce: response.Nonce,
	}
	switch {
	case response.TypeUrl == clusters:
		s.state.clusters.Add(1)
		s.state.server.CompareAndSwap(preInitializing, initializing)
	case rejects():
		s.state.rejected.Add(1)
		request.ErrorDetail = &status.Status{Code: int32(codes.Internal), Message: "ENVOY_REJECT"}
		log.Printf("rejects %d listeners", len(response.Resources))
		s.configured() // it starts all the same, without them (source/common/listener_manager/lds_api.cc)
	default:
		s.state.listeners.Add(1)
		s.configured()
		log.Printf("accepts %d listeners", len(response.Resources))
	}
	return stream.Send(request)
}
