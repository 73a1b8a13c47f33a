package dns

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/miekg/dns"
)

// Ask asks the name server at an address and port, over UDP, for the SOA of a
// zone that it is to have, as a check that it answers. The error says why it
// does not, or not with authority.
func Ask(ctx context.Context, server netip.AddrPort, zone string) error {
	var query dns.Msg
	query.SetQuestion(dns.Fqdn(zone), dns.TypeSOA)
	query.RecursionDesired = false
	answer, _, err := new(dns.Client).ExchangeContext(ctx, &query, server.String())
	switch {
	case err != nil:
		return fmt.Errorf("asking %s for the SOA of %s: %w", server, zone, err)
	case answer.Rcode != dns.RcodeSuccess || !answer.Authoritative || len(answer.Answer) == 0:
		return fmt.Errorf("asking %s for the SOA of %s: want it with authority, got %s with %d records",
			server, zone, dns.RcodeToString[answer.Rcode], len(answer.Answer))
	}
	return nil
}
