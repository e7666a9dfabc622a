// Writes the image of Stablekey, without a daemon and without a base: the certificates of public authorities and a folder
// for temporary files in one layer, a static binary in the next. For one binary it is an image; for binaries of several architectures, an index.
// What it writes depends on its arguments only: same arguments, same bytes.
//
// Below the folder it writes `layout`, an OCI layout, and `image.tar`, the same as one file, which is an OCI archive and
// what `docker load` reads.
package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The machine that each architecture of an image stands for.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

const (
	// A number: Kubernetes must see that it is not root.
	user  = "65532:65532"
	roots = "etc/ssl/certs/ca-certificates.crt"
	// containerd and Docker read the image's name here, other tools its tag in ref.name.
	nameAnnotation = "io.containerd.image.name"
	tagAnnotation  = "org.opencontainers.image.ref.name"
	layoutName     = "layout"
	archiveName    = "image.tar"
)

type arguments struct {
	name    string
	output  string
	created time.Time
	// Labels of the image, and annotations of its manifest.
	labels   map[string]string
	binaries map[string]string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run() error {
	read, err := readArguments()
	if err != nil {
		return err
	}
	images := map[string]v1.Image{}
	for architecture, path := range read.binaries {
		binary, err := staticBinary(architecture, path)
		if err != nil {
			return err
		}
		if images[architecture], err = image(read, architecture, binary); err != nil {
			return err
		}
	}
	return write(read, images)
}

func readArguments() (*arguments, error) {
	read := &arguments{labels: map[string]string{}, binaries: map[string]string{}}
	pair := func(into map[string]string) func(string) error {
		return func(text string) error {
			key, value, found := strings.Cut(text, "=")
			if _, twice := into[key]; !found || value == "" || twice {
				return fmt.Errorf("%q is not KEY=VALUE, or its key is there twice", text)
			}
			into[key] = value
			return nil
		}
	}
	var seconds int64
	flag.StringVar(&read.name, "name", "", "the image's `name`, with its tag")
	flag.StringVar(&read.output, "output", "", "the `folder` to write to")
	flag.Int64Var(&seconds, "created", 0, "when the image was made, in `seconds` since 1970")
	flag.Func("label", "`KEY=VALUE`, several times", pair(read.labels))
	flag.Func("binary", "`ARCHITECTURE=FILE`, several times", pair(read.binaries))
	flag.Parse()
	if read.name == "" || read.output == "" || len(read.binaries) == 0 || flag.NArg() > 0 {
		return nil, errors.New("give -name, -output and at least one -binary, and no other arguments")
	}
	read.created = time.Unix(seconds, 0).UTC()
	return read, nil
}

// An image without libraries runs only what needs none.
func staticBinary(architecture, path string) ([]byte, error) {
	machine, known := machines[architecture]
	if !known {
		return nil, fmt.Errorf("architecture %q is none of %v", architecture, slices.Sorted(maps.Keys(machines)))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s is no program of Linux: %w", path, err)
	}
	if file.Machine != machine {
		return nil, fmt.Errorf("%s is a program for %v, not for %s", path, file.Machine, architecture)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return nil, fmt.Errorf("%s is linked dynamically: build it with hack/release/binary", path)
		}
	}
	return content, nil
}

func image(read *arguments, architecture string, binary []byte) (v1.Image, error) {
	// `plan --git` writes temporary files, as whoever runs the image.
	certificates, err := layer([]folder{
		{"etc/", 0o755}, {"etc/ssl/", 0o755}, {"etc/ssl/certs/", 0o755}, {"tmp/", 0o1777},
	}, file{roots, certificatesOfPublicAuthorities(), 0o444})
	if err != nil {
		return nil, err
	}
	program, err := layer(nil, file{"stablekey", binary, 0o555})
	if err != nil {
		return nil, err
	}
	history := func(what string) v1.History {
		return v1.History{Created: v1.Time{Time: read.created}, CreatedBy: "hack/release/image", Comment: what}
	}
	made, err := mutate.Append(
		mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: certificates, History: history("certificates of public authorities, and tmp")},
		mutate.Addendum{Layer: program, History: history("stablekey")},
	)
	if err != nil {
		return nil, err
	}
	config, err := made.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: read.created}
	config.Architecture = architecture
	config.OS = "linux"
	config.Config = v1.Config{User: user, Entrypoint: []string{"/stablekey"}, WorkingDir: "/", Labels: read.labels}
	if made, err = mutate.ConfigFile(made, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(made, read.labels).(v1.Image), nil
}

// From golang.org/x/crypto, which follows Mozilla's list: go.sum pins it, as no package of a distribution can be pinned
// that goes from its mirrors with the next.
func certificatesOfPublicAuthorities() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		// Mozilla trusts it for some certificates only, which a file of certificates cannot say.
		if root.Constraint != nil {
			continue
		}
		// It writes to memory.
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return text.Bytes()
}

type file struct {
	path    string
	content []byte
	mode    int64
}

type folder struct {
	path string
	mode int64
}

// A layer with folders and a file, all of root and without a time.
func layer(folders []folder, file file) (v1.Layer, error) {
	var content bytes.Buffer
	writer := tar.NewWriter(&content)
	for _, folder := range folders {
		header := &tar.Header{Typeflag: tar.TypeDir, Name: folder.path, Mode: folder.mode}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	if err := add(writer, file); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil }
	return tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
}

func add(writer *tar.Writer, file file) error {
	size := int64(len(file.content))
	header := &tar.Header{Typeflag: tar.TypeReg, Name: file.path, Mode: file.mode, Size: size}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	_, err := writer.Write(file.content)
	return err
}

// Removes what an earlier run wrote to a folder. A folder with anything else is somebody's, and an error.
func clear(output string) error {
	entries, err := os.ReadDir(output)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		known := entry.Name() == archiveName
		if entry.Name() == layoutName {
			_, err := os.Stat(filepath.Join(output, layoutName, "oci-layout"))
			known = err == nil
		}
		if !known {
			return fmt.Errorf("%s holds %s, which is no image: name a new or an empty folder", output, entry.Name())
		}
	}
	for _, name := range []string{layoutName, archiveName} {
		if err := os.RemoveAll(filepath.Join(output, name)); err != nil {
			return err
		}
	}
	return nil
}

// One image, or an index of several.
func write(read *arguments, images map[string]v1.Image) error {
	if err := clear(read.output); err != nil {
		return err
	}
	folder := filepath.Join(read.output, layoutName)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	written, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	_, tag, found := strings.Cut(read.name[strings.LastIndex(read.name, "/")+1:], ":")
	if !found {
		return fmt.Errorf("the name %q has no tag", read.name)
	}
	named := layout.WithAnnotations(map[string]string{nameAnnotation: read.name, tagAnnotation: tag})
	platform := func(architecture string) v1.Platform { return v1.Platform{OS: "linux", Architecture: architecture} }
	if len(images) == 1 {
		for architecture, image := range images {
			if err := written.AppendImage(image, named, layout.WithPlatform(platform(architecture))); err != nil {
				return err
			}
		}
	} else {
		index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		for _, architecture := range slices.Sorted(maps.Keys(images)) {
			platform := platform(architecture)
			descriptor := v1.Descriptor{Platform: &platform}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: images[architecture], Descriptor: descriptor})
		}
		index = mutate.Annotations(index, read.labels).(v1.ImageIndex)
		if err := written.AppendIndex(index, named); err != nil {
			return err
		}
	}
	return archive(read, folder, images)
}

// The layout as one file. What `docker save` writes, and Docker reads, is the same with a file manifest.json, which has
// room for one architecture.
func archive(read *arguments, folder string, images map[string]v1.Image) error {
	var files []file
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		files = append(files, file{filepath.ToSlash(name), content, 0o644})
		return err
	})
	if err != nil {
		return err
	}
	if len(images) == 1 {
		for _, image := range images {
			listed, err := forDocker(read.name, image)
			if err != nil {
				return err
			}
			files = append(files, file{"manifest.json", listed, 0o644})
		}
	}
	slices.SortFunc(files, func(one, other file) int { return cmp.Compare(one.path, other.path) })
	var content bytes.Buffer
	writer := tar.NewWriter(&content)
	for _, file := range files {
		if err := add(writer, file); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(read.output, archiveName), content.Bytes(), 0o644)
}

func forDocker(name string, image v1.Image) ([]byte, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	blob := func(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }
	layers := []string{}
	for _, layer := range manifest.Layers {
		layers = append(layers, blob(layer.Digest))
	}
	return json.Marshal([]map[string]any{{
		"Config": blob(manifest.Config.Digest), "RepoTags": []string{name}, "Layers": layers,
	}})
}
