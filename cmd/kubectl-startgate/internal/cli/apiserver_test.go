package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/yaml"
)

// apiServer answers for the objects and logs of a fixture, as an API server does.
type apiServer struct {
	*httptest.Server
	objects map[string]map[string]any // by kind and name
	logs    map[string]string         // by container, with /previous, or by pod and such a container
	allowed []string                  // resources that may be read; all if empty
	mu      sync.Mutex
	asked   []string
}

// newAPIServer starts one with the files of a fixture, and more objects.
func newAPIServer(t testing.TB, fixture string, more ...string) *apiServer {
	t.Helper()
	s := &apiServer{objects: map[string]map[string]any{}, logs: map[string]string{}}
	for _, file := range readFixture(t, filepath.Join("testdata", fixture+".txtar")).Files {
		switch name := file.Name; {
		case strings.HasSuffix(name, ".yaml"):
			s.add(t, string(file.Data))
		case strings.HasSuffix(name, ".log"):
			_, container, _ := strings.Cut(strings.TrimSuffix(name, ".log"), ".")
			s.logs[strings.Replace(container, ".previous", "/previous", 1)] = string(file.Data)
		}
	}
	for _, object := range more {
		s.add(t, object)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *apiServer) add(t testing.TB, text string) {
	t.Helper()
	object := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	items, ok := object["items"].([]any)
	if !ok {
		items = []any{object}
	}
	for _, item := range items {
		object := item.(map[string]any)
		kind, ok := object["kind"].(string)
		if !ok {
			kind = "Event"
		}
		s.objects[strings.ToLower(kind)+"s/"+object["metadata"].(map[string]any)["name"].(string)] = object
	}
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if i := slices.Index(parts, "namespaces"); i >= 0 {
		parts = parts[i+2:]
	} else {
		parts = parts[2:] // of all namespaces
	}
	resource := parts[0]
	if len(parts) == 3 {
		resource += "/" + parts[2]
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+resource+"?"+r.URL.RawQuery)
	s.mu.Unlock()
	switch {
	case len(s.allowed) > 0 && !slices.Contains(s.allowed, resource):
		status(w, http.StatusForbidden, "Forbidden", fmt.Sprintf("%s is forbidden: User \"dev\" cannot read it", resource))
	case resource == "pods/log":
		s.log(w, r, parts[1])
	case len(parts) == 1:
		s.list(w, r, resource)
	case s.objects[resource+"/"+parts[1]] == nil:
		status(w, http.StatusNotFound, "NotFound", resource+" \""+parts[1]+"\" not found")
	default:
		answer(w, http.StatusOK, s.objects[resource+"/"+parts[1]])
	}
}

func (s *apiServer) log(w http.ResponseWriter, r *http.Request, pod string) {
	container := r.URL.Query().Get("container")
	if r.URL.Query().Get("previous") == "true" {
		container += "/previous"
	}
	text, ok := s.logs[pod+"/"+container]
	if !ok {
		text, ok = s.logs[container]
	}
	if !ok && strings.HasSuffix(container, "/previous") {
		status(w, http.StatusBadRequest, "BadRequest", "previous terminated container not found")
		return
	}
	fmt.Fprint(w, text)
}

func (s *apiServer) list(w http.ResponseWriter, r *http.Request, resource string) {
	selector, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if err != nil {
		status(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	kind := map[string]string{"pods": "PodList", "events": "EventList", "jobs": "JobList"}[resource]
	list := map[string]any{"kind": kind, "apiVersion": "v1", "metadata": map[string]any{}}
	items := []any{}
	var names []string
	for name := range s.objects {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, resource+"/") && selector.Matches(fieldsOf(s.objects[name])) {
			items = append(items, s.objects[name])
		}
	}
	begin, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	if limit, _ := strconv.Atoi(r.URL.Query().Get("limit")); limit > 0 && begin+limit < len(items) {
		items = items[:begin+limit]
		list["metadata"] = map[string]any{"continue": strconv.Itoa(begin + limit)}
	}
	list["items"] = items[begin:]
	answer(w, http.StatusOK, list)
}

// fieldsOf returns the fields by which events are selected.
func fieldsOf(object map[string]any) fields.Set {
	set := fields.Set{"reason": fmt.Sprint(object["reason"])}
	if involved, ok := object["involvedObject"].(map[string]any); ok {
		for key, value := range involved {
			set["involvedObject."+key] = fmt.Sprint(value)
		}
	}
	return set
}

func status(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": message})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

// run runs a command line against the server.
func (s *apiServer) run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return run(t, append(args, "--server", s.URL, "-n", "shop")...)
}
