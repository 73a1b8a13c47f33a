package wire

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSipHash has the vector of the paper's appendix A.
func TestSipHash(t *testing.T) {
	var key Secret
	var message []byte
	for i := range key {
		key[i] = byte(i)
		if i < 15 {
			message = append(message, byte(i))
		}
	}
	if got, want := sipHash(&key, message), uint64(0xa129ca6149be45e5); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func cookie(t *testing.T, text string) *Cookie {
	t.Helper()
	c := &Cookie{}
	if !c.parse(unhex(t, text)) {
		t.Fatalf("%q is no cookie", text)
	}
	return c
}

// TestRFC9018 has the vectors of RFC 9018 appendix A. In A.3 the old cookie
// has expired by our clock, so it is verified at the time it was made.
func TestRFC9018(t *testing.T) {
	first := Secret(unhex(t, "e5e973e5a6b2a43f48e7dc849e37bfcf"))
	old, fresh := Secret(unhex(t, "dd3bdf9344b678b185a6f5cb60fca715")), Secret(unhex(t, "445536bcd2513298075a5d379663c962"))
	for _, tc := range []struct {
		name    string
		secrets Secrets
		client  string
		now     uint32
		in      string
		valid   bool
		want    string
	}{
		{"A.1: a new one", Secrets{first}, "198.51.100.100", 1559731985, "2464c4abcf10c957", false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2: too old to keep", Secrets{first}, "198.51.100.100", 1559734385, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", true, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"A.2: but not at first", Secrets{first}, "198.51.100.100", 1559731985 + 1799, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", true, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.3: reserved bytes", Secrets{first}, "203.0.113.203", 1559727985, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", true, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"},
		{"A.3: expired", Secrets{first}, "203.0.113.203", 1559734700, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", false, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
		{"A.4: another secret", Secrets{fresh, old}, "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", true, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, client := cookie(t, tc.in), netip.MustParseAddr(tc.client)
			valid := tc.secrets.Verify(c, client, tc.now)
			if got := hex.EncodeToString(tc.secrets.append(nil, c, client, tc.now)); valid != tc.valid || got != tc.want {
				t.Errorf("got %v %s, want %v %s", valid, got, tc.valid, tc.want)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	const now = 1_800_000_000
	ours, others := Secrets{{1}, {2}}, Secrets{{3}}
	client, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	made := func(ss Secrets, at uint32) []byte {
		return ss.append(nil, cookie(t, "0102030405060708"), client, at)
	}
	change := func(b []byte, at int) []byte { b[at] ^= 1; return b }
	for _, tc := range []struct {
		name   string
		in     []byte
		client netip.Addr
		want   bool
	}{
		{"fresh", made(ours, now), client, true},
		{"by the second secret", made(ours[1:], now), client, true},
		{"by another secret", made(others, now), client, false},
		{"an hour old", made(ours, now-3600), client, true},
		{"older", made(ours, now-3601), client, false},
		{"5 minutes ahead", made(ours, now+300), client, true},
		{"further ahead", made(ours, now+301), client, false},
		{"another client", made(ours, now), other, false},
		{"another client cookie", change(made(ours, now), 0), client, false},
		{"another version", change(made(ours, now), 8), client, false},
		{"another time", change(made(ours, now), 15), client, false},
		{"another hash", change(made(ours, now), 23), client, false},
		{"no server cookie", made(ours, now)[:8], client, false},
		{"short server cookie", made(ours, now)[:16], client, false},
		{"long server cookie", append(made(ours, now), 0), client, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := ours.Verify(cookie(t, hex.EncodeToString(tc.in)), tc.client, now); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestReadSecrets(t *testing.T) {
	const secret = "000102030405060708090a0b0c0d0e0f"
	for _, tc := range []struct {
		name, in, err string
		want          int
	}{
		{"one", secret, "", 1},
		{"two, and words", "# new\n" + secret + "\n\n# old\n  " + strings.ToUpper(secret) + "\r\n", "", 2},
		{"empty", "# nothing\n", "want at least one line", 0},
		{"short", secret + "\n" + secret[2:], ":2: want 32 hexadecimal digits, which are 16 random bytes", 0},
		{"no hex", "x" + secret[1:], ":1: want 32 hexadecimal", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "cookie.key")
			if err := os.WriteFile(file, []byte(tc.in), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ReadSecrets(file)
			if len(got) != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), file) || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %d secrets, %v", len(got), err)
			}
		})
	}
	if _, err := ReadSecrets(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a missing file")
	}
	if a, b := RandomSecrets(), RandomSecrets(); len(a) != 1 || a[0] == b[0] {
		t.Errorf("random secrets: %v, %v", a, b)
	}
}
