# The image from which another takes /startgate: COPY --from, or --install into a
# shared volume. It holds that one file.
#
#   docker build -t registry.example/startgate:1 .
#
# Go compiles for the target on the machine that builds; nothing of the target is
# run. The binary depends on the sources and the version of Go only.
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags='-s -w' -o /startgate ./cmd/startgate

FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="startgate" \
      org.opencontainers.image.description="Waits until the pod's sidecar is ready, then becomes the application" \
      org.opencontainers.image.source="https://github.com/startgate/startgate" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /startgate /startgate
USER 65532:65532
ENTRYPOINT ["/startgate", "--"]
