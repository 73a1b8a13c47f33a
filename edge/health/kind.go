package health

import "github.com/waypost/waypost/edge/index"

// A Kind is one scheme over one family, of those that are probed.
type Kind uint8

// Kinds is how many kinds there are: http and https, each over two families.
const Kinds = 4

// KindOf returns the kind of a scheme, http or https, over a family.
func KindOf(scheme index.Schemes, f index.Family) Kind {
	k := Kind(f-index.V4) * 2
	if scheme == index.HTTPS {
		k++
	}
	return k
}

// Kind returns the kind of the target.
func (t Target) Kind() Kind { return KindOf(t.Scheme, t.Family) }

// Scheme returns the scheme of the kind.
func (k Kind) Scheme() index.Schemes {
	if k%2 == 1 {
		return index.HTTPS
	}
	return index.HTTP
}

// Family returns the family of the kind.
func (k Kind) Family() index.Family { return index.V4 + index.Family(k/2) }

// Of returns the target of a host that is of this kind.
func (k Kind) Of(host string) Target {
	return Target{Host: host, Scheme: k.Scheme(), Family: k.Family()}
}

// String returns what people call the kind, such as "https over ipv6".
func (k Kind) String() string {
	name := "http"
	if k.Scheme() == index.HTTPS {
		name = "https"
	}
	if k.Family() == index.V6 {
		return name + " over ipv6"
	}
	return name + " over ipv4"
}
