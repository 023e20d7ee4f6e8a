package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"kentongan/templates"
)

// asset is an embedded file that browsers load: a style sheet, a script, an
// icon.
type asset struct {
	data, gzipped []byte // gzipped is empty where it would not help
	hash          string // of data; part of its address
	contentType   string
}

// loadAssets reads, hashes and compresses the assets once at start, so that a
// storm of page visits costs no processor time.
func loadAssets() (map[string]asset, error) {
	all := map[string]asset{}
	err := fs.WalkDir(templates.Files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		data, err := fs.ReadFile(templates.Files, name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".js" && !strings.Contains(name, "/vendor/") {
			data = []byte(inline(string(data)))
		}
		sum := sha256.Sum256(data)
		a := asset{data: data, hash: hex.EncodeToString(sum[:6]), contentType: mime.TypeByExtension(path.Ext(name))}
		switch path.Ext(name) {
		case ".webmanifest":
			a.contentType = "application/manifest+json"
		case ".js":
			a.contentType = "text/javascript; charset=utf-8"
		case "", ".txt": // the licences and hashes of what others wrote
			a.contentType = "text/plain; charset=utf-8"
		}
		var out bytes.Buffer
		z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if out.Len() < len(data)*9/10 {
			a.gzipped = out.Bytes()
		}
		all[strings.TrimPrefix(name, "static/")] = a
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	return all, nil
}

// Asset is the address of a file under static. It changes with the content, so
// that a browser keeps a file for ever and still never shows an old one.
func (p page) Asset(name string) string { return "/static/" + name + "?v=" + p.assets[name].hash }

func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	a, ok := s.views.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("v") == a.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	a.serve(w, r)
}

// rooted serves an asset outside /static/, where a browser wants it: a service
// worker governs only the paths below its own.
func (s *Server) rooted(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		s.views.assets[name].serve(w, r)
	}
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h, data := w.Header(), a.data
	h.Set("Content-Type", a.contentType)
	h.Set("ETag", `"`+a.hash+`"`)
	if len(a.gzipped) > 0 {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			h.Set("ETag", `"`+a.hash+`-gz"`)
			data = a.gzipped
		}
	}
	if match := r.Header.Get("If-None-Match"); match != "" && strings.Contains(match, h.Get("ETag")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
}
