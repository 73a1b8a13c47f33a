package node_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A question is one that clients ask, by HTTP or DNS.
type question struct {
	how    string // redirect, mirrorlist, A, TXT, A over TCP
	client string // whose /24 is asked for
	path   string // by DNS it is always pub/os
}

func questions() (all []question) {
	for _, client := range []string{"141.30.1.0", "133.11.0.0", "18.0.0.0", "200.17.202.0"} {
		for _, path := range []string{"pub/os/f", "pub/os/old/f"} {
			all = append(all, question{"redirect", client, path}, question{"mirrorlist", client, path})
		}
		for _, how := range []string{"A", "TXT", "A over TCP"} {
			all = append(all, question{how, client, "pub/os"})
		}
	}
	return all
}

// An asker asks one edge.
type asker struct {
	http, dns string
	client    *http.Client
}

// settled asks all questions until the answers have exactly the hosts that
// they should have by the catalogue v, and returns them.
func (a *asker) settled(t *testing.T, v *variant) (answers [][]string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, q := range questions() {
		for {
			got, err := a.question(q)
			if err != nil {
				t.Fatal(err)
			}
			wrong := v.wrong(q, got)
			if wrong == "" {
				answers = append(answers, got)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v: %v: %s", q, got, wrong)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	return answers
}

// wrong says what is wrong with the hosts of an answer, by the catalogue alone.
func (v *variant) wrong(q question, got []string) string {
	up := v.up(q.path)
	want := len(up)
	switch q.how {
	case "A", "A over TCP":
		want = 3
	case "redirect":
		want = min(want, 6)
	case "TXT":
		want = min(want, 3)
	}
	if len(got) != want {
		return fmt.Sprintf("want %d hosts", want)
	}
	for _, addr := range got {
		if !slices.Contains(up, addr) {
			return addr + " may not be there"
		}
	}
	country := map[string]string{"141.30.1.0": "DE", "133.11.0.0": "JP", "18.0.0.0": "US"}[q.client]
	for _, h := range v.hosts {
		if h.addr == got[0] && country != "" && h.country != country {
			return "the first is of " + h.country
		}
	}
	return ""
}

// question asks and returns the addresses of the hosts, in the order of the answer.
func (a *asker) question(q question) ([]string, error) {
	switch q.how {
	case "redirect":
		return a.page("/"+q.path+"?ip="+q.client, http.StatusFound)
	case "mirrorlist":
		return a.page("/mirrorlist?path="+q.path+"&ip="+q.client, http.StatusOK)
	case "A over TCP":
		return a.records(q.client, dns.TypeA, "tcp")
	case "TXT":
		return a.records(q.client, dns.TypeTXT, "udp")
	}
	return a.records(q.client, dns.TypeA, "udp")
}

var hostURL = regexp.MustCompile(`http://(127\.0\.1\.[0-9]+):[0-9]+/os`)

func (a *asker) page(path string, status int) (addrs []string, err error) {
	response, err := a.client.Get(a.http + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		return nil, fmt.Errorf("status %d, %w", response.StatusCode, err)
	}
	text := response.Header.Get("Location") + fmt.Sprint(response.Header.Values("Link")) + string(body)
	for _, found := range hostURL.FindAllStringSubmatch(text, -1) {
		addrs = append(addrs, found[1])
	}
	return addrs, nil
}

func (a *asker) records(client string, rrtype uint16, network string) (addrs []string, err error) {
	q := new(dns.Msg).SetQuestion("m.test.", rrtype)
	q.SetEdns0(1232, false)
	q.Extra[0].(*dns.OPT).Option = []dns.EDNS0{
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.ParseIP(client).To4()},
	}
	c := &dns.Client{Net: network, Timeout: 30 * time.Second}
	m, _, err := c.Exchange(q, a.dns)
	if err != nil {
		return nil, err
	}
	if m.Rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("rcode %s", dns.RcodeToString[m.Rcode])
	}
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			addrs = append(addrs, rr.A.String())
		case *dns.TXT:
			for _, found := range hostURL.FindAllStringSubmatch(fmt.Sprint(rr.Txt), -1) {
				addrs = append(addrs, found[1])
			}
		}
	}
	return addrs, nil
}
