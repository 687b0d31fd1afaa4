package main

import (
	"encoding/json"
	"fmt"
	"os"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// bootstrap is what is used of the file that the agent writes.
type bootstrap struct {
	node  *core.Node
	agent string // the address of the agent's status port, which an annotation can move
}

func readBootstrap(file string) (bootstrap, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return bootstrap{}, err
	}
	var b struct {
		Node   json.RawMessage
		Static struct{ Clusters []cluster } `json:"static_resources"`
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return bootstrap{}, fmt.Errorf("cannot read %s: %w", file, err)
	}
	node := &core.Node{UserAgentName: "envoy"}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b.Node, node); err != nil {
		return bootstrap{}, fmt.Errorf("cannot read the node in %s: %w", file, err)
	}
	for _, cluster := range b.Static.Clusters {
		if cluster.Name == "agent" {
			return bootstrap{node, fmt.Sprintf("127.0.0.1:%d", cluster.port())}, nil
		}
	}
	return bootstrap{}, fmt.Errorf("%s has no cluster \"agent\"", file)
}

// cluster is a cluster of one endpoint.
type cluster struct {
	Name       string
	Assignment struct {
		Endpoints []struct {
			Endpoints []struct {
				Endpoint struct {
					Address struct {
						Socket struct {
							Port int `json:"port_value"`
						} `json:"socket_address"`
					}
				}
			} `json:"lb_endpoints"`
		}
	} `json:"load_assignment"`
}

func (c cluster) port() int {
	for _, endpoints := range c.Assignment.Endpoints {
		for _, endpoint := range endpoints.Endpoints {
			return endpoint.Endpoint.Address.Socket.Port
		}
	}
	return 0
}
