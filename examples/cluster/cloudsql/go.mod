module github.com/startgate/startgate/examples/cluster/cloudsql

go 1.26.0
