package ws

import "fmt"

// Sequences of Autobahn's 6.5 to 6.23, after Markus Kuhn's stress test for
// decoders of UTF-8; bad ones begin with an exclamation mark.
func utf8Sequences() [][]string {
	const hello, world = "hello", "world"
	var continuations string
	for b := 0x80; b < 0xbf; b++ {
		continuations += string([]byte{byte(b)})
	}
	var lonely []string
	for _, m := range [][2]byte{{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}} {
		starts := "!"
		for b := m[0]; b < m[1]; b++ {
			starts += string([]byte{b, ' '})
		}
		lonely = append(lonely, starts)
	}
	var prefixes []string
	for i := range len(kosme) {
		mark := "!"
		switch i + 1 {
		case 2, 5, 7, 9, 11:
			mark = ""
		}
		prefixes = append(prefixes, mark+kosme[:i+1])
	}
	incomplete := []string{
		"!\xc0", "!\xe0\x80", "!\xf0\x80\x80", "!\xf8\x80\x80\x80", "!\xfc\x80\x80\x80\x80",
		"!\xdf", "!\xef\xbf", "!\xf7\xbf\xbf", "!\xfb\xbf\xbf\xbf", "!\xfd\xbf\xbf\xbf\xbf",
	}
	together := "!"
	for _, sequence := range incomplete {
		together += sequence[1:]
	}
	nonCharacters := []string{"\xef\xbf\xbe", "\xef\xbf\xbf"}
	for plane := rune(1); plane <= 16; plane++ {
		nonCharacters = append(nonCharacters, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return [][]string{
		{hello + "$" + world, hello + "\xc2\xa2" + world, hello + "\xe2\x82\xac" + world, hello + "\xf0\xa4\xad\xa2" + world, kosme},
		prefixes,
		{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"},
		{"!\xf8\x88\x80\x80\x80", "!\xfc\x84\x80\x80\x80\x80"},
		{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"!\xf7\xbf\xbf\xbf", "!\xfb\xbf\xbf\xbf\xbf", "!\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "!\xf4\x90\x80\x80"},
		{
			"!\x80", "!\xbf", "!\x80\xbf", "!\x80\xbf\x80", "!\x80\xbf\x80\xbf", "!\x80\xbf\x80\xbf\x80",
			"!\x80\xbf\x80\xbf\x80\xbf", "!" + continuations,
		},
		lonely,
		incomplete,
		{together},
		{"!\xfe", "!\xff", "!\xfe\xfe\xff\xff"},
		{"!\xc0\xaf", "!\xe0\x80\xaf", "!\xf0\x80\x80\xaf", "!\xf8\x80\x80\x80\xaf", "!\xfc\x80\x80\x80\x80\xaf"},
		{"!\xc1\xbf", "!\xe0\x9f\xbf", "!\xf0\x8f\xbf\xbf", "!\xf8\x87\xbf\xbf\xbf", "!\xfc\x83\xbf\xbf\xbf\xbf"},
		{"!\xc0\x80", "!\xe0\x80\x80", "!\xf0\x80\x80\x80", "!\xf8\x80\x80\x80\x80", "!\xfc\x80\x80\x80\x80\x80"},
		{"!\xed\xa0\x80", "!\xed\xad\xbf", "!\xed\xae\x80", "!\xed\xaf\xbf", "!\xed\xb0\x80", "!\xed\xbe\x80", "!\xed\xbf\xbf"},
		{
			"!\xed\xa0\x80\xed\xb0\x80", "!\xed\xa0\x80\xed\xbf\xbf", "!\xed\xad\xbf\xed\xb0\x80", "!\xed\xad\xbf\xed\xbf\xbf",
			"!\xed\xae\x80\xed\xb0\x80", "!\xed\xae\x80\xed\xbf\xbf", "!\xed\xaf\xbf\xed\xb0\x80", "!\xed\xaf\xbf\xed\xbf\xbf",
		},
		nonCharacters,
		{"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf"},
	}
}

// Texts that are UTF-8 and others, in one frame and cut inside of characters.
func autobahnTexts() []autobahnCase {
	const surrogate, beyond, edited = "\xed\xa0\x80", "\xf4\x90\x80\x80", "edited"
	all := []autobahnCase{
		{"6.1.1", frame(fin|text, "") + bye, "t:", 1000},
		{"6.1.2", frame(text, "") + frame(cont, "") + frame(fin|cont, "") + bye, "t:", 1000},
		{"6.1.3", frame(text, "") + frame(cont, "middle") + frame(fin|cont, "") + bye, "t:middle", 1000},
		{"6.2.1", frame(fin|text, mixed) + bye, "t:" + mixed, 1000},
		{"6.2.2", pieces(mixed, 14) + bye, "t:" + mixed, 1000},
		{"6.2.3", pieces(mixed, 1) + bye, "t:" + mixed, 1000},
		{"6.2.4", pieces(kosme, 1) + bye, "t:" + kosme, 1000},
		{"6.3.1", frame(fin|text, kosme+surrogate+edited) + bye, "", 1007},
		{"6.3.2", pieces(kosme+surrogate+edited, 1) + bye, "", 1007},
		{"6.4.1", frame(text, kosme) + frame(cont, beyond) + frame(fin|cont, edited) + bye, "", 1007},
		{"6.4.2", frame(text, kosme+beyond[:1]) + frame(cont, beyond[1:2]) + frame(fin|cont, beyond[2:]+edited) + bye, "", 1007},
		{"6.4.3", frame(fin|text, kosme+beyond+edited) + bye, "", 1007},
		{"6.4.4", frame(fin|text, kosme+beyond+edited) + bye, "", 1007},
	}
	for group, sequences := range utf8Sequences() {
		for i, sequence := range sequences {
			c := autobahnCase{fmt.Sprintf("6.%d.%d", group+5, i+1), "", "t:" + sequence, 1000}
			if sequence[0] == '!' {
				sequence, c.want, c.code = sequence[1:], "", 1007
			}
			c.frames = frame(fin|text, sequence) + bye
			all = append(all, c)
		}
	}
	return all
}
