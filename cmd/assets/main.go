// Command assets renews what the pages take from others: htmx with its SSE
// extension, idiomorph, and the icons of Lucide.
//
// The result is committed, so that building Kentongan needs no npm. To take a
// newer version, change the numbers below and run, from the root:
//
//	npm pack --pack-destination /tmp/packages htmx.org@2.0.11 htmx-ext-sse@2.2.4 idiomorph@0.8.0 lucide-static@1.62.0
//	go run ./cmd/assets -from /tmp/packages
package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// script is a library of the console. Employee pages carry none.
type script struct {
	Package, Version string
	Source           string // in the package
	Name             string // below templates/static/vendor
}

var scripts = []script{
	{"htmx.org", "2.0.11", "dist/htmx.min.js", "htmx-2.0.11.min.js"},
	{"htmx-ext-sse", "2.2.4", "sse.js", "htmx-ext-sse-2.2.4.min.js"},
	{"idiomorph", "0.8.0", "dist/idiomorph-ext.js", "idiomorph-ext-0.8.0.min.js"},
}

const lucide = "lucide-static-1.62.0"

// icons are those that pages may use, by the names of Lucide.
var icons = strings.Fields(`
octagon-alert triangle-alert diamond info flag shield-check circle-check life-buoy door-open eye
clock phone-off phone bell flame waves activity shield-alert flask-conical monitor-x door-closed
list-checks pencil-line send users message-square circle-x droplets smartphone bug construction
clipboard-check megaphone heart-pulse zap-off cloud-lightning lock siren bell-ring mail globe
search user-round user-check user-x printer download upload file-text map-pin plus x check
arrow-left arrow-right chevron-right chevron-down languages house history inbox settings log-out
qr-code wifi-off hand-helping timer rotate-cw pencil layout-template gauge circle-question-mark
share ellipsis-vertical building-2 chart-line table-2 ban trash-2 copy external-link volume-x
calendar scroll-text`)

func main() {
	from := flag.String("from", "", "folder with the packages, as npm pack makes them")
	flag.Parse()
	if err := renew(*from, "templates"); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func renew(from, to string) error {
	if from == "" {
		return errors.New("say with -from where the packages are")
	}
	vendor := filepath.Join(to, "static", "vendor")
	var sums []string
	for _, s := range scripts {
		files, err := unpack(filepath.Join(from, s.Package+"-"+s.Version+".tgz"))
		if err != nil {
			return err
		}
		// The oldest browser in use among employees and HR decides; all three use
		// newer syntax somewhere.
		built := api.Transform(string(files[s.Source]), api.TransformOptions{
			Engines:          []api.Engine{{Name: api.EngineChrome, Version: "80"}},
			MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
			Banner: fmt.Sprintf("/* %s %s, licence in LICENSES/%s.txt */", s.Package, s.Version, s.Package),
		})
		if len(built.Errors) > 0 {
			return fmt.Errorf("minify %s: %s", s.Package, built.Errors[0].Text)
		}
		if err := write(filepath.Join(vendor, s.Name), built.Code); err != nil {
			return err
		}
		if err := write(filepath.Join(vendor, "LICENSES", s.Package+".txt"), files["LICENSE"]); err != nil {
			return err
		}
		sums = append(sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(built.Code), s.Name))
	}
	slices.Sort(sums)
	if err := write(filepath.Join(vendor, "SHA256SUMS"), []byte(strings.Join(sums, ""))); err != nil {
		return err
	}

	files, err := unpack(filepath.Join(from, lucide+".tgz"))
	if err != nil {
		return err
	}
	name := filepath.Join(to, "web", "icons.txt")
	old, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the notice above the icons: %w", err)
	}
	var list strings.Builder
	for line := range strings.Lines(string(old)) {
		if strings.HasPrefix(line, "#") {
			list.WriteString(line)
		}
	}
	for _, icon := range icons {
		svg, ok := files["icons/"+icon+".svg"]
		if !ok {
			return fmt.Errorf("renew icons: %s has no icon %s", lucide, icon)
		}
		fmt.Fprintf(&list, "%s\t%s\n", icon, drawing(string(svg)))
	}
	return write(name, []byte(list.String()))
}

var spaces = regexp.MustCompile(`\s+`)

// drawing keeps what is inside the svg element: the element itself is the same
// for all icons, and the page writes it.
func drawing(svg string) string {
	_, inner, _ := strings.Cut(svg[strings.Index(svg, "<svg"):], ">")
	inner, _, _ = strings.Cut(inner, "</svg>")
	inner = spaces.ReplaceAllString(strings.TrimSpace(inner), " ")
	return strings.ReplaceAll(strings.ReplaceAll(inner, " />", "/>"), "> <", "><")
}

func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // sources, read by everybody
		return fmt.Errorf("renew: %w", err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil { //nolint:gosec // sources, read by everybody
		return fmt.Errorf("renew: %w", err)
	}
	return nil
}

// unpack reads a package as npm pack makes it; names are without its folder.
func unpack(name string) (map[string][]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open package: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	files := map[string][]byte{}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
		_, path, _ := strings.Cut(h.Name, "/")
		files[path] = data
	}
}
