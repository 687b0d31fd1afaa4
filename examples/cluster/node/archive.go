package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
)

// An Image is a container image, made of files of this machine.
type Image struct {
	Name   string // such as registry.example/app:1
	Config Config
	Layers []Layer
}

// Config is what the image says of its containers.
type Config struct {
	Entrypoint []string `json:",omitempty"`
	Cmd        []string `json:",omitempty"`
	Env        []string `json:",omitempty"`
	User       string   `json:",omitempty"`
}

// A Layer is a set of files of an image. Images may share it.
type Layer []File

// A File is one file of a layer: a copy, a symbolic link or an empty folder.
type File struct {
	Path string
	From string      // the file of this machine to copy
	Text string      // or its text
	Link string      // or where the link points
	Dir  os.FileMode // or the folder's mode
}

// archive is a file for ctr images import, in the format of docker save.
type archive struct {
	*tar.Writer
	written  map[string]bool
	manifest []manifest
}

type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// writeImages writes all images into one archive.
func writeImages(file string, images []Image) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	a := archive{Writer: tar.NewWriter(out), written: map[string]bool{}}
	for _, image := range images {
		if err := a.addImage(image); err != nil {
			return fmt.Errorf("cannot make the image %s: %w", image.Name, err)
		}
	}
	text, err := json.Marshal(a.manifest)
	if err != nil {
		return err
	}
	if err := a.add("manifest.json", text); err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	return out.Close()
}

func (a *archive) addImage(image Image) error {
	m := manifest{RepoTags: []string{image.Name}}
	var digests []string
	for _, layer := range image.Layers {
		blob, err := layer.tar()
		if err != nil {
			return err
		}
		digest := digestOf(blob)
		digests = append(digests, "sha256:"+digest)
		m.Layers = append(m.Layers, digest+".tar")
		if err := a.add(digest+".tar", blob); err != nil {
			return err
		}
	}
	config, err := json.Marshal(map[string]any{
		"architecture": architecture, "os": "linux", "config": image.Config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": digests},
	})
	if err != nil {
		return err
	}
	m.Config = digestOf(config) + ".json"
	a.manifest = append(a.manifest, m)
	return a.add(m.Config, config)
}

// add adds a file, unless another image has added it.
func (a *archive) add(name string, content []byte) error {
	if a.written[name] {
		return nil
	}
	a.written[name] = true
	if err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := a.Write(content)
	return err
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// tar returns the layer, with the folders that its files are in.
func (l Layer) tar() ([]byte, error) {
	var blob bytes.Buffer
	w := tar.NewWriter(&blob)
	dirs := map[string]bool{".": true, "/": true}
	for _, file := range l {
		if err := makeParents(w, dirs, path.Dir(file.Path)); err != nil {
			return nil, err
		}
		if err := file.write(w); err != nil {
			return nil, err
		}
		dirs[file.Path] = true
	}
	err := w.Close()
	return blob.Bytes(), err
}

func makeParents(w *tar.Writer, made map[string]bool, dir string) error {
	var missing []string
	for ; !made[dir]; dir = path.Dir(dir) {
		made[dir] = true
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		if err := (File{Path: dir, Dir: 0o755}).write(w); err != nil {
			return err
		}
	}
	return nil
}

func (f File) write(w *tar.Writer) error {
	header := &tar.Header{Name: f.Path[1:], Mode: 0o755}
	content := []byte(f.Text)
	switch {
	case f.Dir != 0:
		header.Typeflag, header.Mode = tar.TypeDir, int64(f.Dir)
	case f.Link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.Link
	case f.From != "":
		var err error
		if content, err = os.ReadFile(f.From); err != nil {
			return err
		}
	}
	header.Size = int64(len(content))
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}
