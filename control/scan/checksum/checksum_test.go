package checksum_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/scan/checksum"
	"github.com/waypost/waypost/edge/snapshot"
)

const (
	md5a    = "0cc175b9c0f1b6a831c399e269772661"
	sha1a   = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
	sha256a = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
)

func ExampleParse() {
	text := "# a.iso: 1 bytes\nSHA256 (a.iso) = " + sha256a + "\n" + md5a + " *b.iso\n"
	list, err := checksum.Parse("Fedora-43-CHECKSUM", strings.NewReader(text))
	for _, s := range list.Sums {
		fmt.Printf("%s %s %x… %d\n", s.Path, s.Kind, s.Hash[:4], s.Size)
	}
	fmt.Println(err)
	// Output:
	// a.iso sha256 ca978112… 1
	// b.iso md5 0cc175b9… -1
	// <nil>
}

func TestFormatOf(t *testing.T) {
	tests := map[string]checksum.Format{
		"a/repodata/repomd.xml": checksum.Repomd, "a/repomd.xml": checksum.None, "repodata/repomd.xml": checksum.Repomd,
		"dists/x/Release": checksum.Release, "InRelease": checksum.Release,
		"CHECKSUM": checksum.Lines, "x/Fedora-CHECKSUM": checksum.Lines, "checksum": checksum.None,
		"MD5SUM": checksum.Lines, "SHA256SUMS": checksum.Lines, "sha1sum.txt": checksum.Lines, "x.iso.sha512": checksum.Lines,
		"x.iso.sha256sum": checksum.Lines, "x.iso": checksum.None, "SHA256SUMS.asc": checksum.None,
	}
	for file, want := range tests {
		if got := checksum.FormatOf(file); got != want {
			t.Errorf("FormatOf(%s) = %d, want %d", file, got, want)
		}
	}
	if got := checksum.Base("os/repodata/repomd.xml"); got != "os" {
		t.Errorf("Base of a repomd.xml is %q", got)
	}
}

func sum(path string, kind snapshot.HashKind, text string, size int64) checksum.Sum {
	var v snapshot.Version
	if err := v.SetHash(kind, text); err != nil {
		panic(err)
	}
	return checksum.Sum{Path: path, Kind: kind, Hash: v.Hashes[kind], Size: size}
}

func signed(body string) string {
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + body +
		"-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n"
}

func TestParse(t *testing.T) {
	a := sum("a", snapshot.SHA256, sha256a, -1)
	tests := []struct {
		name, file, in string
		want           checksum.List
		wantErr        string
	}{
		{"gnu", "SHA256SUMS", sha256a + "  a\n", checksum.List{Sums: []checksum.Sum{a}}, ""},
		{"binary mark", "SHA256SUMS", sha256a + " *./a", checksum.List{Sums: []checksum.Sum{a}}, ""},
		{"capitals", "SHA256SUMS", strings.ToUpper(sha256a) + "  a\r\n", checksum.List{Sums: []checksum.Sum{a}}, ""},
		{"openssl", "x-CHECKSUM", "SHA2-256(a)= " + sha256a + "\n", checksum.List{Sums: []checksum.Sum{a}}, ""},
		{"bare", "a.sha256", sha256a + "\n", checksum.List{Sums: []checksum.Sum{a}}, ""},
		{
			"parentheses and blanks", "SHA256SUMS", "SHA256 (a (b) c) = " + sha256a + "\n",
			checksum.List{Sums: []checksum.Sum{sum("a (b) c", snapshot.SHA256, sha256a, -1)}},
			"",
		},
		{
			"escaped", "SHA256SUMS", `\` + sha256a + `  a\\b` + "\n" + `\` + sha256a + `  a\nb` + "\n",
			checksum.List{Sums: []checksum.Sum{sum(`a\b`, snapshot.SHA256, sha256a, -1)}, Skipped: 1},
			"",
		},
		{"leaves the directory", "MD5SUM", md5a + "  ../a\n" + md5a + "  /a\n" + md5a + "  \n", checksum.List{Skipped: 3}, ""},
		{"nonsense", "MD5SUM", "hello\nSHA384 (a) = 00\nMD5 (a) = 00\n\n# c\n", checksum.List{Skipped: 3}, ""},
		{
			"signed", "x-CHECKSUM", md5a + "  forged\n" + signed("# a: 7 bytes\n- "+sha256a+"  a\n") + md5a + "  forged\n",
			checksum.List{Sums: []checksum.Sum{sum("a", snapshot.SHA256, sha256a, 7)}},
			"",
		},
		{"signature missing", "x-CHECKSUM", "-----BEGIN PGP SIGNED MESSAGE-----\n\n" + sha256a + "  a\n", checksum.List{}, "incomplete"},
		{
			"release", "dists/x/InRelease",
			signed("Origin: x\nMD5Sum:\n " + md5a + " 1 main/Packages\nSHA1:\n " + sha1a + " x y\n b\nSHA9:\n q\n"),
			checksum.List{Sums: []checksum.Sum{sum("main/Packages", snapshot.MD5, md5a, 1)}, Skipped: 2},
			"",
		},
		{
			"repomd", "repodata/repomd.xml", `<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>5</revision>
<data type="primary"><checksum type="sha">` + sha1a + `</checksum><location href="repodata/p.gz"/><size>3</size></data>
<data type="f"><checksum type="sha256">` + sha256a + `</checksum><location xml:base="http://x" href="f"/></data></repomd>`,
			checksum.List{Sums: []checksum.Sum{sum("repodata/p.gz", snapshot.SHA1, sha1a, 3)}, Skipped: 1},
			"",
		},
		{"half a repomd", "repodata/repomd.xml", `<repomd><data type="x">`, checksum.List{}, "incomplete"},
		{"an empty repomd", "repodata/repomd.xml", ``, checksum.List{}, "incomplete"},
		{"no repomd", "repodata/repomd.xml", `<html></html>`, checksum.List{}, "want <repomd>"},
		{"endless line", "MD5SUM", strings.Repeat("a", 70000), checksum.List{}, "too long"},
		{"no checksums", "a.iso", "", checksum.List{}, "want a file of checksums"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := checksum.Parse(tt.file, strings.NewReader(tt.in))
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if tt.wantErr == "incomplete" && !errors.Is(err, checksum.ErrIncomplete) {
				t.Error("is not ErrIncomplete")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	files := []string{"SHA256SUMS", "Release", "repodata/repomd.xml", "a.md5"}
	f.Add(uint8(0), sha256a+"  a\nMD5 (b) = "+md5a+"\n# a: 1 bytes\n")
	f.Add(uint8(0), signed("- x\n"))
	f.Add(uint8(1), "SHA256:\n "+sha256a+" 5 main/x\n")
	f.Add(uint8(2), `<repomd><data><checksum type="md5">`+md5a+`</checksum><location href="a"/><size>4</size></data></repomd>`)
	f.Add(uint8(3), md5a)
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		list, err := checksum.Parse(files[int(which)%len(files)], strings.NewReader(text))
		for _, s := range list.Sums {
			if err != nil || len(s.Hash) != s.Kind.Size() || s.Size < -1 || strings.Contains("/"+s.Path+"/", "/../") {
				t.Errorf("%+v, %v", s, err)
			}
		}
	})
}
