//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/waypost/waypost/control/internal/needs"
)

// TestFTP crawls a host that has nothing but FTP, by a real server. Its clients
// are people whose mirrorlist asks for it.
func TestFTP(t *testing.T) {
	t.Parallel()
	needs.Program(t, "vsftpd", "vsftpd")
	master := t.TempDir()
	file(t, `<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision></repomd>`, master, "43/repodata/repomd.xml")
	for i := range 10 {
		file(t, fmt.Sprintf("thing %d", i), master, fmt.Sprintf("43/things/%d", i))
	}
	p := newPlane(t, master, "")
	p.world(t)
	p.scan(t)
	whole, half := serveFTP(t, copyTree(t, master)), copyTree(t, master)
	remove(t, half, "43/things")
	p.host(t, "whole", []string{whole})
	p.host(t, "half", []string{serveFTP(t, half)})
	p.crawl(t, "whole", "half")
	// metadata of the same size and time may be other metadata: FTP lists no hashes
	wantText(t, p.ctl(t, "jobs", "crawl", "s/whole os"), "ok by ftp: 3 held, 0 lacked, 1 unknown")
	wantText(t, p.ctl(t, "jobs", "crawl", "s/half os"), "ok by ftp: 2 held, 1 lacked, 1 unknown")
	p.ctl(t, "publish", "--wait", "2m")
	e := p.edge(t)
	until(t, soon, "who asks for FTP gets it", func() bool {
		return contains(e.body("/mirrorlist?repo=os-43&arch=x86_64&protocol=ftp", outside), whole+"/43")
	})
	if code := e.status("/pub/os/43/things/3", outside); code == 302 {
		t.Error("a client is sent to FTP, which asked by HTTP")
	}
}

// serveFTP starts vsftpd for a tree and returns its URL.
func serveFTP(t *testing.T, dir string) (url string) {
	t.Helper()
	work, address := t.TempDir(), port(t)
	config := file(t, fmt.Sprintf("listen=YES\nlisten_address=127.0.0.1\nlisten_port=%s\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\n"+
		"anon_root=%s\nsecure_chroot_dir=%s\nseccomp_sandbox=NO\nxferlog_enable=NO\n", address[len("127.0.0.1:"):], dir, work), work, "vsftpd.conf")
	start(t, "vsftpd", config)
	until(t, soon, "vsftpd answers", func() bool { return answers(address) })
	return "ftp://" + address
}
