package zone

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxProblems ends the reading of zone text: somebody gave us another file.
const maxProblems = 100

// maxSet is how many bytes the records of one name and type may have, so that
// they fit into a message over TCP.
const maxSet = 60000

// addRecords reads the zone text.
func (b *builder) addRecords() {
	zp := dns.NewZoneParser(strings.NewReader(b.config.Records), b.origin, "")
	zp.SetDefaultTTL(DefaultTTL)
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		h := rr.Header()
		if err := b.checkRecord(h); err != nil {
			b.problem("records: %s %s: %w", h.Name, dns.Type(h.Rrtype), err)
			continue
		}
		b.add(rr)
		if len(b.problems) > maxProblems {
			b.problem("records: more than %d problems", maxProblems)
			return
		}
	}
	if err := zp.Err(); err != nil {
		b.problem("records: %w", err)
	}
}

// firstMeta is the first of the types, to 255, that no record has.
const firstMeta = 128

// checkRecord makes the owner canonical and refuses what a zone cannot have.
func (b *builder) checkRecord(h *dns.RR_Header) error {
	name, err := canonical(h.Name) // the first record need not have one
	if err != nil {
		return err
	}
	h.Name = name
	switch {
	case h.Class != dns.ClassINET:
		return fmt.Errorf("want class IN, got %s", dns.Class(h.Class))
	case !b.inside(h.Name):
		return errors.New("is outside the zone")
	case h.Ttl > maxTTL:
		return fmt.Errorf("want a TTL of at most %d seconds, got %d", maxTTL, h.Ttl)
	case h.Rrtype == dns.TypeSOA:
		return errors.New("want it under soa, not here")
	case h.Rrtype == dns.TypeNone || h.Rrtype == dns.TypeOPT || firstMeta <= h.Rrtype && h.Rrtype <= dns.TypeANY:
		return errors.New("is a type of messages and questions, not of records (RFC 6895 section 3.1)")
	case h.Rrtype == dns.TypeNS && strings.HasPrefix(h.Name, "*."):
		return errors.New("a delegation cannot be a wildcard (RFC 4592 section 4.2)")
	case h.Rrtype == dns.TypeDNAME:
		return errors.New("DNAME is not supported")
	case h.Rrtype == dns.TypeNS && h.Name == b.origin:
		return errors.New("want the zone's own NS under ns, not here")
	}
	return nil
}

// add adds a record to the RRset of its name and type. The same record twice
// counts once.
func (b *builder) add(rr dns.RR) {
	h := rr.Header()
	record := b.pack(rr)
	if record == nil {
		return
	}
	n := b.node(h.Name)
	i := slices.IndexFunc(n.Sets, func(s RRset) bool { return s.Type == h.Rrtype })
	if i < 0 {
		n.Sets = append(n.Sets, RRset{Type: h.Rrtype, Count: 1, Records: record})
		if h.Rrtype == dns.TypeNS && h.Name != b.origin {
			b.cuts = append(b.cuts, h.Name)
		}
		return
	}
	set := &n.Sets[i]
	if !bytes.Equal(set.Records[:ttlEnd], record[:ttlEnd]) { // RFC 2181 section 5.2
		b.problem("%s %s: records of one name and type want the same TTL", h.Name, dns.Type(h.Rrtype))
		return
	}
	if len(set.Records)+len(record) > maxSet {
		b.problem("%s %s: want at most %d bytes of records", h.Name, dns.Type(h.Rrtype), maxSet)
		return
	}
	for at := 0; at < len(set.Records); at = recordEnd(set.Records, at) {
		if bytes.Equal(set.Records[at:recordEnd(set.Records, at)], record) {
			return
		}
	}
	set.Records = append(set.Records, record...)
	set.Count++
}

// Where things are in a packed record: owner pointer, type, class, TTL,
// length, data.
const (
	ttlEnd    = 10
	dataStart = 12
)

// recordEnd returns where the packed record at records[at:] ends.
func recordEnd(records []byte, at int) int {
	return at + dataStart + int(records[at+ttlEnd])<<8 + int(records[at+ttlEnd+1])
}

// pack returns a record in wire form, its owner a pointer to the question's
// name; nil where it has none, which is a problem.
func (b *builder) pack(rr dns.RR) []byte {
	bare := dns.Copy(rr)
	bare.Header().Name = "."
	buf := make([]byte, dns.Len(bare)+1)
	n, err := dns.PackRR(bare, buf, 0, nil, false)
	if err != nil {
		b.problem("%s %s: %w", rr.Header().Name, dns.Type(rr.Header().Rrtype), err)
		return nil
	}
	return append([]byte{0xc0, 12}, buf[1:n]...)
}

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// address returns an A or AAAA record.
func address(name string, ttl uint32, a netip.Addr) dns.RR {
	if a = a.Unmap(); a.Is4() {
		return &dns.A{Hdr: header(name, dns.TypeA, ttl), A: a.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(name, dns.TypeAAAA, ttl), AAAA: a.AsSlice()}
}

// fullName returns a name in lower case with a dot at its end. Names of the
// configuration have nothing that zone text would have to escape.
func fullName(text string) (string, error) {
	name := strings.ToLower(dns.Fqdn(text))
	if _, ok := dns.IsDomainName(name); !ok || text == "" || strings.ContainsFunc(text, unfit) {
		return "", fmt.Errorf("want a domain name, got %q", text)
	}
	return canonical(name)
}

func unfit(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`@"();$\`, r) }

// packName returns a full name in wire form and lower case.
func packName(name string) ([]byte, error) {
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(name, buf, 0, nil, false)
	if err != nil || name == "" {
		return nil, fmt.Errorf("want a domain name, got %q", name)
	}
	for i, c := range buf[:n] {
		if 'A' <= c && c <= 'Z' { // lengths are below 64
			buf[i] = c + 'a' - 'A'
		}
	}
	return buf[:n], nil
}

// canonical returns a full name in the one way to write it: lower case, and
// nothing escaped that need not be.
func canonical(name string) (string, error) {
	packed, err := packName(name)
	if err != nil {
		return "", err
	}
	text, _, err := dns.UnpackDomainName(packed, 0)
	return text, err
}

// wireName returns a canonical name in wire form.
func wireName(name string) string {
	packed, err := packName(name)
	if err != nil {
		panic(fmt.Sprintf("packing a canonical name: %v", err))
	}
	return string(packed)
}
