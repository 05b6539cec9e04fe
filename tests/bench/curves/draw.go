package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	panelWidth  = 390 // in points, as everything
	panelHeight = 270
	margin      = 8
	headHeight  = 26
	footHeight  = 18
)

// colors can be told apart by those who see no red or green, too.
var colors = []color.RGBA{{0, 90, 181, 255}, {220, 50, 32, 255}, {26, 133, 80, 255}, {120, 60, 160, 255}}

var ink = color.RGBA{40, 40, 40, 255}

// draw makes a picture: its title, the panels two in a row, and where the figures are from.
func (c *curve) draw() ([]byte, error) {
	if len(c.Points) == 0 || len(c.Panels) == 0 {
		return nil, errors.New("there is nothing to draw")
	}
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	columns := min(2, len(c.Panels))
	rows := (len(c.Panels) + columns - 1) / columns
	panelWidth := panelWidth
	if columns == 1 { // the texts need as much
		panelWidth = 560
	}
	width := vg.Length(columns*panelWidth + 2*margin)
	height := vg.Length(rows*panelHeight + headHeight + footHeight + 2*margin)
	canvas := vgsvg.NewWith(vgsvg.UseWH(width, height))
	whole := draw.New(canvas)
	whole.FillPolygon(color.White, []vg.Point{{X: 0, Y: 0}, {X: width, Y: 0}, {X: width, Y: height}, {X: 0, Y: height}})
	head, foot := style(13), style(9)
	whole.FillText(head, vg.Point{X: margin, Y: height - margin - 14}, c.Title)
	whole.FillText(foot, vg.Point{X: margin, Y: margin}, c.caption())
	for i := range c.Panels {
		p, err := c.plot(i)
		if err != nil {
			return nil, err
		}
		x := vg.Length(margin + i%columns*panelWidth)
		y := vg.Length(margin + footHeight + (rows-1-i/columns)*panelHeight)
		p.Draw(draw.Canvas{Canvas: whole.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + vg.Length(panelWidth) - margin, Y: y + panelHeight - margin},
		}})
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, err
	}
	// The font is not in the file. These are as wide, or nearly so, where it is missing.
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

func style(size vg.Length) draw.TextStyle {
	return draw.TextStyle{Color: ink, Font: font.From(plot.DefaultFont, size), Handler: plot.DefaultTextHandler}
}

// plot is one panel.
func (c *curve) plot(i int) (*plot.Plot, error) {
	panel := c.Panels[i]
	p := plot.New()
	p.BackgroundColor = color.White
	// Not as the label of its axis, which takes room from the data where that is logarithmic.
	p.Title.Text, p.Title.TextStyle.Font.Size, p.Title.TextStyle.Color, p.Title.Padding = panel.Y.Name, 11, ink, 6
	for _, of := range []struct {
		axis *plot.Axis
		is   axis
	}{{&p.X, c.X}, {&p.Y, panel.Y}} {
		of.axis.Label.TextStyle.Font.Size = 11
		of.axis.Tick.Label.Font.Size = 10
		of.axis.Color, of.axis.Label.TextStyle.Color, of.axis.Tick.Label.Color = ink, ink, ink
		of.axis.Tick.Marker = plot.TickerFunc(linear)
		if of.is.Log {
			of.axis.Scale, of.axis.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)
		}
	}
	p.X.Label.Text = c.X.Name
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{215}, color.Gray{215}
	p.Add(grid)
	for n, name := range panel.Lines {
		points := c.line(name)
		if len(points) == 0 {
			return nil, fmt.Errorf("no point has %q", name)
		}
		for _, at := range points {
			if c.X.Log && at.X <= 0 || panel.Y.Log && at.Y <= 0 {
				return nil, fmt.Errorf("%q has %v, which is not on a logarithmic axis", name, at)
			}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colors[n%len(colors)], 1.6
		dots.Color, dots.Shape, dots.Radius = line.Color, draw.CircleGlyph{}, 2.5
		if len(points) > 40 { // dots would hide the line
			dots.Radius = 0
		}
		p.Add(line, dots)
		if len(panel.Lines) > 1 {
			p.Legend.Add(name, line)
		}
	}
	p.Legend.TextStyle.Font.Size = 10
	// On the left its texts may be longer in another font.
	p.Legend.Top, p.Legend.Left, p.Legend.Padding, p.Legend.XOffs = true, true, 2, 4
	widen(&p.X, c.X.Log, 0)
	widen(&p.Y, panel.Y.Log, len(panel.Lines))
	return p, nil
}

func (c *curve) line(name string) (points plotter.XYs) {
	for _, p := range c.Points {
		if y, found := p[name]; found {
			points = append(points, plotter.XY{X: p[c.X.Name], Y: y})
		}
	}
	return points
}

// widen has an axis end at a mark, with room for as many entries of a legend: a linear one
// begins at 0, and a logarithmic one with a step of 1, 2 or 5.
func widen(a *plot.Axis, logarithmic bool, legend int) {
	room := 1.0
	if legend > 1 {
		room += .15 * float64(legend)
	}
	if !logarithmic {
		a.Min, a.Max = 0, a.Max*room*1.03
		return
	}
	low, high := math.Log10(a.Min), math.Log10(a.Max)
	high = low + max(high-low, .3)*room
	a.Min, a.Max = stepBelow(math.Pow(10, low)), -stepBelow(-math.Pow(10, high))
}

// stepBelow is the largest 1, 2 or 5 times a power of ten that is not above v; for a
// negative one it is the same further from 0.
func stepBelow(v float64) float64 {
	up := v < 0
	v = math.Abs(v)
	decade := math.Pow(10, math.Floor(math.Log10(v)*(1+1e-12)))
	steps := []float64{1, 2, 5, 10}
	for i := range steps {
		if at := steps[i] * decade; up && at >= v*(1-1e-9) {
			return -at
		} else if !up && (i == len(steps)-1 || steps[i+1]*decade > v*(1+1e-9)) {
			return at
		}
	}
	return v
}

// decades marks 1, 2 and 5 times the powers of ten, or the powers alone where these are
// many.
func decades(low, high float64) (ticks []plot.Tick) {
	wide := math.Log10(high/low) > 2.5
	for decade := math.Pow(10, math.Floor(math.Log10(low)+1e-9)); decade <= high*(1+1e-9); decade *= 10 {
		for n := 1.0; n < 10; n++ {
			v := decade * n
			if v < low*(1-1e-9) || v > high*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if n == 1 || !wide && (n == 2 || n == 5) {
				t.Label = short(v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

func linear(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = short(ticks[i].Value)
		}
	}
	return ticks
}

// short writes a number as people do: 20, 0.5, 3k, 2M.
func short(v float64) string {
	unit := ""
	switch {
	case v >= 1e6:
		v, unit = v/1e6, "M"
	case v >= 1e3:
		v, unit = v/1e3, "k"
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) + unit
}
