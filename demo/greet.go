package demo

import (
	"fmt"
	"io"
	"os"

	"github.com/waypost/waypost/edge/node"
)

// greet prints commands to paste, with what their answers mean.
func greet(out io.Writer, p *plane, n *node.Node) {
	at := n.Addresses()
	dig := fmt.Sprintf("dig @%s -p %d", at["dns"][0].Addr(), at["dns"][0].Port())
	ctl := fmt.Sprintf("%s ctl --url http://%s --token-file %s", os.Args[0], p.Addr(), p.adminToken)
	fmt.Fprintf(out, `
Waypost is running, both halves of it. The registry has real mirrors of Linux and Fedora, and three
small ones that are served from this machine. Now paste:

# A client in Germany is sent to a mirror there.
curl -sI 'http://%[1]s/pub/fedora/linux/releases/?ip=141.30.1.1'

# The kernel has few mirrors: the nearest one wins. A client in Japan; the Link headers
# name the next best, and the file's hash is known.
curl -sI 'http://%[1]s/pub/linux/kernel/v6.x/linux-6.12.tar.xz?ip=133.11.0.1'

# The list that dnf asks for: the client's country first (Brazil), then its continent.
curl -s 'http://%[1]s/mirrorlist?repo=fedora-44&arch=x86_64&ip=200.17.202.1'

# Which mirrors, which not, and why: for people in a browser, or as JSON.
curl -s 'http://%[1]s/pub/linux/kernel/?mirrorlist&json&ip=130.56.1.1'

# The same choice by DNS. The resolver passes on the client's subnet (ECS); the
# scope behind it says for which prefix the answer holds.
%[2]s linux.m.test +subnet=141.30.1.0/24
%[2]s fedora.m.test +subnet=2001:200::/32

# Why this client gets these mirrors; metrics for Prometheus.
curl -s 'http://%[3]s/explain?ip=141.30.1.1&path=pub/linux/kernel'
curl -s 'http://%[3]s/metrics' | grep ^waypost_

# The three mirrors here were crawled: a real download, and a file that the one in
# Japan does not have yet, so that its clients go elsewhere.
curl -sL 'http://%[1]s/pub/demo/releases/1/hello.txt?ip=141.30.1.1'
curl -s 'http://%[1]s/pub/demo/releases/1/demo.iso?mirrorlist&json&ip=133.11.0.1'
curl -s 'http://%[1]s/metalink?repo=demo-1&arch=x86_64&ip=133.11.0.1'

# The control plane: what it knows, and what it publishes for other programs.
curl -s 'http://%[4]s/v1/exports/text'
%[5]s status
%[5]s host set here/here-de user_active=false

In a browser:  http://%[4]s/  (user admin, password %[6]s)
               http://%[1]s/pub/demo/releases/1/?mirrorlist

Ctrl-C ends it.
`, at["http"][0], dig, at["admin"][0], p.Addr(), ctl, p.password)
}
