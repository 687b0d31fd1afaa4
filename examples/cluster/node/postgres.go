package node

import (
	"os"
	"path/filepath"
)

// postgresServer has a new database in each container. Its user is shop, with the password
// secret.
var postgresServer = Config{
	Entrypoint: []string{"sh", "-ec", `
		PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
		echo secret >/tmp/password
		initdb --pgdata=/tmp/db --username=shop --pwfile=/tmp/password --auth=scram-sha-256 --no-locale --no-sync --wal-segsize=1
		echo host all all all scram-sha-256 >>/tmp/db/pg_hba.conf
		exec postgres -D /tmp/db -h '*' -k /tmp -F`},
	Env:  []string{"PATH=/bin:/usr/bin"},
	User: "999:999", // it refuses to run as root
}

// postgresLayer has PostgreSQL's server, and the files of it that initdb needs. All are where
// Debian has them: the server looks for its libraries from its own place.
func postgresLayer() (Layer, error) {
	layer, err := machineLayer("initdb", "postgres")
	if err != nil {
		return nil, err
	}
	for i := range layer {
		layer[i].Path = layer[i].From
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/lib/dict_snowball.so", "/usr/lib/postgresql/*/lib/plpgsql.so",
		"/usr/share/postgresql/*/*", "/usr/share/postgresql/*/extension/plpgsql*",
		"/usr/share/postgresql/*/timezonesets/*", "/usr/share/postgresql/*/tsearch_data/*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				layer = append(layer, File{Path: path, From: path})
			}
		}
	}
	return append(layer, File{Path: "/etc/passwd", Text: "postgres:x:999:999::/tmp:/bin/sh\n"}), nil
}
