package zone

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Compile returns the zones of a configuration, or an error that names all
// that is wrong with it, a line each, by zone and name.
func Compile(configs []Config) (*Zones, error) {
	zs := &Zones{byName: map[string]*Zone{}}
	var builders []*builder
	for i := range configs {
		b := newBuilder(&configs[i])
		builders = append(builders, b)
		if b.origin == "" {
			continue
		}
		b.build()
		key := wireName(b.origin)
		if zs.byName[key] != nil {
			b.problem("there are two zones of this name")
		}
		zs.zones = append(zs.zones, b.zone)
		zs.byName[key] = b.zone
		zs.depth = max(zs.depth, b.zone.Labels)
	}
	var problems []error
	for _, b := range builders {
		b.checkHidden(zs)
		problems = append(problems, b.problems...)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return zs, nil
}

// A builder compiles one zone. Names are full and in lower case here, with
// the dot at their end.
type builder struct {
	config   *Config
	zone     *Zone
	origin   string
	nodes    map[string]*Node
	cuts     []string // names with a delegation
	problems []error
}

// newBuilder returns a builder, without an origin where the zone's name is bad.
func newBuilder(c *Config) *builder {
	b := &builder{config: c, nodes: map[string]*Node{}}
	origin, err := fullName(c.Name)
	if err != nil {
		b.problem("%w", err)
		return b
	}
	b.origin = origin
	b.zone = &Zone{
		Name: c.Name, Labels: dns.CountLabel(origin),
		Fallback:          c.Fallback,
		PrivateByResolver: c.PrivateByResolver, IgnoreECS: c.IgnoreECS,
	}
	return b
}

func (b *builder) problem(format string, args ...any) {
	b.problems = append(b.problems, fmt.Errorf("zone %q: %w", b.config.Name, fmt.Errorf(format, args...)))
}

func (b *builder) build() {
	b.addSOA()
	b.addNS()
	b.addRecords()
	b.addMirrors()
	for i, a := range b.config.Fallback {
		switch twin := func(o netip.Addr) bool { return o.Unmap() == a.Unmap() }; {
		case !usable(a):
			b.problem("fallback: %v is not an address that a client could use", a)
		case slices.ContainsFunc(b.config.Fallback[:i], twin):
			b.problem("fallback: %v is there twice", a)
		}
	}
	b.checkCNAMEs()
	b.addBetween()
	b.cut()
	b.addExtra()
	b.zone.nodes = make(map[string]*Node, len(b.nodes))
	for name, n := range b.nodes {
		n.wildcard = b.nodes["*."+strings.TrimPrefix(name, ".")]
		b.zone.nodes[wireName(name)] = n
		b.zone.depth = max(b.zone.depth, dns.CountLabel(name))
	}
}

// usable reports whether a client could use an address.
func usable(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() && a.Zone() == "" }

// node returns the node of a name, made if it is not there yet.
func (b *builder) node(name string) *Node {
	if b.nodes[name] == nil {
		b.nodes[name] = &Node{}
	}
	return b.nodes[name]
}

func (b *builder) inside(name string) bool { return dns.IsSubDomain(b.origin, name) }

func (b *builder) addSOA() {
	c := b.config.SOA
	for what, seconds := range map[string]uint32{"ttl": c.TTL, "minimum": c.Minimum} {
		if seconds > maxTTL {
			b.problem("soa: %s: want at most %d seconds, got %d", what, maxTTL, seconds)
		}
	}
	if c.MName == "" && len(b.config.NS) > 0 {
		c.MName = slices.Min(slices.Collect(maps.Keys(b.config.NS)))
	}
	c.RName = cmp.Or(c.RName, "hostmaster."+strings.TrimPrefix(b.origin, "."))
	soa := &dns.SOA{
		Hdr:     header(b.origin, dns.TypeSOA, b.ttl()),
		Ns:      b.soaName("mname", c.MName),
		Mbox:    b.soaName("rname", c.RName),
		Serial:  cmp.Or(c.Serial, 1),
		Refresh: cmp.Or(c.Refresh, DefaultRefresh),
		Retry:   cmp.Or(c.Retry, DefaultRetry),
		Expire:  cmp.Or(c.Expire, DefaultExpire),
		Minttl:  cmp.Or(c.Minimum, DefaultMinimum),
	}
	b.add(soa)
	negative := *soa // RFC 2308 section 5
	negative.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
	b.zone.Negative = RRset{Type: dns.TypeSOA, Count: 1, Records: b.pack(&negative)}
}

// soaName returns a name of the SOA, or the root where it is bad.
func (b *builder) soaName(key, text string) string {
	if text == "" { // no name server: said by addNS
		return "."
	}
	name, err := fullName(text)
	if err != nil {
		b.problem("soa: %s: %w", key, err)
		return "."
	}
	return name
}

// ttl is that of the zone's own records.
func (b *builder) ttl() uint32 { return cmp.Or(b.config.SOA.TTL, DefaultTTL) }

func (b *builder) addNS() {
	if len(b.config.NS) == 0 {
		b.problem("ns: want at least one name server")
	}
	for _, text := range slices.Sorted(maps.Keys(b.config.NS)) {
		addrs := b.config.NS[text]
		name, err := fullName(text)
		if err != nil {
			b.problem("ns: %w", err)
			continue
		}
		b.add(&dns.NS{Hdr: header(b.origin, dns.TypeNS, b.ttl()), Ns: name})
		switch {
		case b.inside(name) && len(addrs) == 0:
			b.problem("ns: %s: want its addresses, as it is inside the zone", text)
		case !b.inside(name) && len(addrs) > 0:
			b.problem("ns: %s: it is outside the zone, whose addresses are not ours to give", text)
		}
		for _, a := range addrs {
			if !usable(a) {
				b.problem("ns: %s: %v is not an address that a resolver could use", text, a)
			} else if b.inside(name) {
				b.add(address(name, b.ttl(), a))
			}
		}
	}
}

// addMirrors adds the tailored names.
func (b *builder) addMirrors() {
	for i := range b.config.Mirrors {
		m := &b.config.Mirrors[i]
		name, err := b.mirrorName(m.Name)
		if err != nil {
			b.problem("mirrors: %q: %w", m.Name, err)
			continue
		}
		t, err := tailored(m)
		if err != nil {
			b.problem("mirrors: %q: %w", m.Name, err)
			continue
		}
		t.Zone, t.Name = b.zone, name
		if err := b.addTailored(name, t); err != nil {
			b.problem("mirrors: %q: %w", m.Name, err)
		}
	}
}

// mirrorName returns the full name of a tailored one.
func (b *builder) mirrorName(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("want a name, or @ for the zone itself")
	case text == "@":
		return b.origin, nil
	case strings.HasSuffix(text, "."):
		name, err := fullName(text)
		if err == nil && !b.inside(name) {
			err = errors.New("is outside the zone")
		}
		return name, err
	case text+"." == b.origin || strings.HasSuffix(text+".", "."+b.origin):
		return "", fmt.Errorf("names are relative to the zone: want %q, or a dot at the end", cmp.Or(strings.TrimSuffix(strings.TrimSuffix(text+".", b.origin), "."), "@"))
	case b.origin == ".":
		return fullName(text)
	}
	return fullName(text + "." + b.origin)
}

// addTailored puts t at a name, unless what stands there already forbids it.
func (b *builder) addTailored(name string, t *Tailored) error {
	n := b.node(name)
	if n.Tailored != nil {
		return errors.New("there are two mirrors of this name")
	}
	if t.Types == CNAME && name == b.origin {
		return errors.New("answer: cname cannot stand at the zone itself, beside its SOA (RFC 1034 section 3.6.2)")
	}
	for i := range n.Sets {
		switch {
		case t.Types == CNAME || n.Sets[i].Type == dns.TypeCNAME:
			return fmt.Errorf("a CNAME cannot stand beside other records (RFC 1034 section 3.6.2), and there are static %s records", dns.Type(n.Sets[i].Type))
		case t.Answers(n.Sets[i].Type):
			return fmt.Errorf("there are static %s records of this name", dns.Type(n.Sets[i].Type))
		}
	}
	n.Tailored = t
	b.zone.Mirrors = append(b.zone.Mirrors, t)
	return nil
}

// tailored returns the answers of a mirror name.
func tailored(m *Mirror) (*Tailored, error) {
	t := &Tailored{
		Path: []byte(strings.Trim(m.Path, "/")), TTL: cmp.Or(m.TTL, DefaultMirrorTTL),
		Count: cmp.Or(m.Count, DefaultCount), Types: Addresses,
	}
	switch m.Answer {
	case "", "addresses":
	case "cname":
		if m.Count > 1 {
			return nil, fmt.Errorf("count: answer: cname names one host, got %d", m.Count)
		}
		if len(m.Types) > 0 {
			return nil, errors.New("types: answer: cname answers every type already")
		}
		t.Types, t.Count = CNAME, 1
	default:
		return nil, fmt.Errorf("answer: want addresses or cname, got %q", m.Answer)
	}
	switch {
	case m.Path == "":
		return nil, errors.New("path: want the path of the content, or / for all")
	case m.Count < 0 || m.Count > MaxCount:
		return nil, fmt.Errorf("count: want 1 to %d, got %d", MaxCount, m.Count)
	case m.TTL > maxTTL:
		return nil, fmt.Errorf("ttl: want at most %d seconds, got %d", maxTTL, m.TTL)
	}
	for _, name := range m.Types {
		kind, ok := map[string]Types{"https": HTTPS, "uri": URI, "txt": TXT}[strings.ToLower(name)]
		if !ok {
			return nil, fmt.Errorf("types: want https, uri or txt, got %q", name)
		}
		t.Types |= kind
	}
	return t, nil
}
