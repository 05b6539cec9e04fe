// Command curves draws the data of growth curves, NAME.json, as NAME.svg beside it.
//
//	go run . ../../../docs/images/curves
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

// curve is a file of data. tests/bench/curve.go writes it, and says what is in it.
type curve struct {
	Title, Measured string
	Others          float64
	X               axis
	Panels          []panel
	Points          []map[string]float64
}

type axis struct {
	Name string
	Log  bool
}

type panel struct {
	Y     axis
	Lines []string
}

// busy is how many processors others may take until a curve says so.
const busy = .1

// caption says where the figures are from.
func (c *curve) caption() string {
	if c.Others < busy {
		return c.Measured
	}
	return fmt.Sprintf("%s; other work took %.1f cores meanwhile", c.Measured, c.Others)
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: curves FOLDER")
	}
	if err := all(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func all(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no data in %s", folder)
	}
	for _, file := range files {
		err = errors.Join(err, one(file))
	}
	return err
}

func one(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c curve
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	picture, err := c.draw()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(strings.TrimSuffix(file, ".json")+".svg", picture, 0o644)
}
