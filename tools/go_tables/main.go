// go_tables prints src/repo/go_isprint.inc: the runes that Go's strconv.Quote leaves as they are, for two releases.
//
//	cd tools/go_tables && go run . table > ../../src/repo/go_isprint.inc
//	cd tools/go_tables && go run . digest > ../../tests/fixtures/restic/go_quote.digests
//
// The newer table is that of the running toolchain (Go 1.26: Unicode 15.0). Go 1.19 had Unicode 13.0: a rune is printable
// there when Unicode 13.0 had assigned it (golang.org/x/text/unicode/rangetable) and it is printable now; no rune became
// printable or stopped being so between the two versions without being new. Debian's restic (Go 1.19) confirms it in a
// peer test that backs up names made of every rune.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"unicode"

	"golang.org/x/text/unicode/rangetable"
)

func printable19() func(rune) bool {
	assigned := rangetable.Assigned("13.0.0")
	return func(r rune) bool { return unicode.Is(assigned, r) && strconv.IsPrint(r) }
}

func table(name string, printable func(rune) bool) {
	fmt.Printf("constexpr RuneRange %s[] = {\n", name)
	first := rune(-1)
	column := 0
	for r := rune(0); r <= unicode.MaxRune+1; r++ {
		in := r <= unicode.MaxRune && printable(r)
		if in && first < 0 {
			first = r
		}
		if !in && first >= 0 {
			fmt.Printf("{0x%x,0x%x},", first, r-1)
			if column++; column%8 == 0 {
				fmt.Println()
			}
			first = -1
		}
	}
	fmt.Printf("};\n")
}

// digest prints SHA-256 over the quoted form, and over its JSON form, of every rune and of every pair of bytes, each
// followed by a newline.
func digest() {
	quoted, encoded := sha256.New(), sha256.New()
	add := func(s string) {
		q := strconv.Quote(s)
		q = q[1 : len(q)-1]
		fmt.Fprintf(quoted, "%s\n", q)
		for _, text := range []string{q, s} {
			j, err := json.Marshal(text)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(encoded, "%s\n", j)
		}
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r < 0xd800 || r > 0xdfff {
			add(string(r))
		}
	}
	for a := 0; a < 256; a++ {
		for b := 0; b < 256; b++ {
			add(string([]byte{byte(a), byte(b)}))
		}
	}
	fmt.Printf("quote %x\njson %x\n", quoted.Sum(nil), encoded.Sum(nil))
}

func main() {
	switch os.Args[1] {
	case "table":
		fmt.Println("// Made by tools/go_tables; first and last rune of each printable range.")
		table("kPrintableGo119", printable19())
		table("kPrintableGo126", strconv.IsPrint)
	case "digest":
		digest()
	}
}
