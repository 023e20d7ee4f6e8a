package web

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"kentongan/internal/announcement"
)

var (
	shotsTo = flag.String("shots", "", "take pictures of every page into this folder (make shots)")
	sheetTo = flag.String("sheet", "", "write the contact sheet of the README to this file (make sheet)")
)

// shot is a picture of a page on a screen.
type shot struct {
	page  string
	lang  announcement.Language
	width int
	dark  bool
}

func (s shot) name() string {
	return fmt.Sprintf("%s.%s.%d.%s", s.page, s.lang, s.width, map[bool]string{true: "dark", false: "light"}[s.dark])
}

// heights of the screens: a phone's, and a notebook's.
var heights = map[int]int{360: 760, 1280: 800}

// tallest is how much of a long page a picture holds.
const tallest = 2400

// take takes the pictures and gives each to use, from several goroutines.
func take(t *testing.T, wanted []shot, use func(shot, image.Image)) {
	t.Helper()
	g := sharedGallery(t)
	screens := openScreens(t, 2, g.site(t))
	queue := make(chan shot)
	var wg sync.WaitGroup
	for _, s := range screens {
		wg.Go(func() {
			for x := range queue {
				img, err := s.take(x)
				if err != nil {
					t.Errorf("%s: %v", x.name(), err)
					continue
				}
				use(x, img)
			}
		})
	}
	for _, x := range wanted {
		queue <- x
	}
	close(queue)
	wg.Wait()
}

func (s *screen) take(x shot) (image.Image, error) {
	scheme := map[bool]string{true: "dark", false: "light"}[x.dark]
	if err := s.size(x.width, heights[x.width]); err != nil {
		return nil, err
	}
	if err := s.media("", "prefers-color-scheme", scheme); err != nil {
		return nil, err
	}
	if err := s.open("/gallery/" + x.page + "." + string(x.lang)); err != nil {
		return nil, err
	}
	high, err := eval[int](s, `document.documentElement.scrollHeight`)
	if err != nil {
		return nil, err
	}
	return s.picture(&box{Width: float64(x.width), Height: float64(min(max(high, heights[x.width]), tallest))})
}

// TestShots takes every page in both languages, on a phone and on a desk, light
// and dark, for a person to look at: all, or those that CHECKS names.
func TestShots(t *testing.T) {
	if *shotsTo == "" {
		t.Skip("only for make shots")
	}
	if err := os.MkdirAll(*shotsTo, 0o755); err != nil {
		t.Fatal(err)
	}
	type group struct {
		lang  announcement.Language
		width int
		dark  bool
	}
	var wanted []shot
	thumbs := map[group][]image.Image{}
	places := map[string]int{}
	only := chosenPages(t)
	for _, x := range exhibits {
		if !only.MatchString(x.name) {
			continue
		}
		places[x.name] = len(places)
		for _, lang := range both {
			for width := range heights {
				for _, dark := range []bool{false, true} {
					wanted = append(wanted, shot{x.name, lang, width, dark})
					if g := (group{lang, width, dark}); len(thumbs[g]) < len(places) {
						thumbs[g] = append(thumbs[g], nil)
					}
				}
			}
		}
	}
	var mu sync.Mutex
	take(t, wanted, func(x shot, img image.Image) {
		savePNG(t, filepath.Join(*shotsTo, x.name()+".png"), img)
		small := shrink(img, map[int]int{360: 180, 1280: 320}[x.width])
		mu.Lock()
		defer mu.Unlock()
		thumbs[group{x.lang, x.width, x.dark}][places[x.page]] = small
	})
	for g, all := range thumbs {
		per := map[int]int{360: 27, 1280: 20}[g.width]
		for n, part := range slices.Collect(slices.Chunk(all, per)) {
			name := fmt.Sprintf("sheet.%s.%d.%s.%d.png", g.lang, g.width, map[bool]string{true: "dark", false: "light"}[g.dark], n+1)
			savePNG(t, filepath.Join(*shotsTo, name), sheet(part, map[int]int{360: 9, 1280: 5}[g.width], map[int]int{360: 180, 1280: 320}[g.width], 460))
		}
	}
	t.Logf("%d pictures in %s", len(wanted), *shotsTo)
}

// TestContactSheet makes the picture that the README shows.
func TestContactSheet(t *testing.T) {
	if *sheetTo == "" {
		t.Skip("only for make sheet")
	}
	rows := [][]shot{
		{{"answer-real", "id", 360, false}, {"answer-help-handled", "en", 360, true}, {"answer-drill", "id", 360, false}, {"team-real", "en", 360, false}, {"me-alert", "id", 360, true}, {"enrol", "en", 360, false}},
		{{"home", "en", 1280, false}, {"new-choose", "id", 1280, false}, {"new-confirm", "en", 1280, false}},
		{{"board-real", "en", 1280, false}, {"board-drill", "id", 1280, true}, {"import-check", "en", 1280, false}},
	}
	made := map[shot]image.Image{}
	var mu sync.Mutex
	var wanted []shot
	for _, row := range rows {
		wanted = append(wanted, row...)
	}
	take(t, wanted, func(x shot, img image.Image) {
		mu.Lock()
		defer mu.Unlock()
		made[x] = img
	})
	const width, gap = 1440, 16
	var strips []image.Image
	high := gap
	for _, row := range rows {
		each := (width - gap*(len(row)+1)) / len(row)
		var part []image.Image
		for _, x := range row {
			if made[x] == nil {
				t.Fatalf("no picture of %s", x.name())
			}
			part = append(part, shrink(made[x], each))
		}
		strip := sheet(part, len(row), each, map[int]int{360: 460, 1280: 286}[row[0].width])
		strips = append(strips, strip)
		high += strip.Bounds().Dy() - gap
	}
	all := image.NewRGBA(image.Rect(0, 0, width, high))
	draw.Draw(all, all.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	y := 0
	for _, strip := range strips {
		draw.Draw(all, strip.Bounds().Add(image.Pt(0, y)), strip, image.Point{}, draw.Src)
		y += strip.Bounds().Dy() - gap
	}
	savePNG(t, *sheetTo, paletted(all))
	if info, err := os.Stat(*sheetTo); err != nil || info.Size() > 600<<10 {
		t.Errorf("the contact sheet: %v, %d bytes, want at most 600 kB", err, info.Size())
	}
}

var ground = color.RGBA{0x8a, 0x90, 0x9a, 0xff}

// sheet lays pictures of one width out in columns, each cut at the same height.
func sheet(all []image.Image, columns, width, height int) *image.RGBA {
	const gap = 16
	rows := (len(all) + columns - 1) / columns
	out := image.NewRGBA(image.Rect(0, 0, gap+columns*(width+gap), gap+rows*(height+gap)))
	draw.Draw(out, out.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	for i, img := range all {
		if img == nil {
			continue
		}
		at := image.Pt(gap+i%columns*(width+gap), gap+i/columns*(height+gap))
		draw.Draw(out, image.Rectangle{at, at.Add(image.Pt(width, min(height, img.Bounds().Dy())))}, img, img.Bounds().Min, draw.Src)
	}
	return out
}

// shrink makes a picture narrower; each new pixel is the mean of those it covers.
func shrink(img image.Image, width int) *image.RGBA {
	b := img.Bounds()
	height := b.Dy() * width / b.Dx()
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		y0, y1 := y*b.Dy()/height, max((y+1)*b.Dy()/height, y*b.Dy()/height+1)
		for x := range width {
			x0, x1 := x*b.Dx()/width, max((x+1)*b.Dx()/width, x*b.Dx()/width+1)
			var r, g, bl, n uint32
			for j := y0; j < y1; j++ {
				for i := x0; i < x1; i++ {
					cr, cg, cb, _ := img.At(b.Min.X+i, b.Min.Y+j).RGBA()
					r, g, bl, n = r+cr>>8, g+cg>>8, bl+cb>>8, n+1
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(r / n), uint8(g / n), uint8(bl / n), 0xff})
		}
	}
	return out
}

// paletted keeps the 256 tones that a picture uses most: pages have few colours.
func paletted(img *image.RGBA) *image.Paletted {
	type tone struct {
		c color.RGBA
		n int
	}
	counts := map[color.RGBA]int{}
	coarse := func(c color.RGBA) color.RGBA { return color.RGBA{c.R &^ 7, c.G &^ 7, c.B &^ 7, 0xff} }
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[coarse(img.RGBAAt(x, y))]++
		}
	}
	var tones []tone
	for c, n := range counts {
		tones = append(tones, tone{c, n})
	}
	slices.SortFunc(tones, func(a, b tone) int { return b.n - a.n })
	var palette color.Palette
	near := map[color.RGBA]uint8{}
	for i, x := range tones[:min(len(tones), 256)] {
		near[x.c] = uint8(i)
		c := x.c // the middle of its step
		if c.R > 0xf0 && c.G > 0xf0 && c.B > 0xf0 {
			c = color.RGBA{0xff, 0xff, 0xff, 0xff}
		}
		palette = append(palette, c)
	}
	out := image.NewPaletted(b, palette)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := coarse(img.RGBAAt(x, y))
			i, ok := near[c]
			if !ok {
				i = uint8(palette.Index(c))
				near[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	return out
}

func savePNG(t testing.TB, name string, img image.Image) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(f, img); err != nil {
		t.Errorf("write %s: %v", name, err)
	}
}
