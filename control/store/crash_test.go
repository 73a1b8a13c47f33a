package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// childVariable names the database on which this program is to work as a child.
const childVariable = "WAYPOST_STORE_TEST_CHILD"

// child opens a database and changes it until it is killed. It prints every
// change that it was told is made.
func child() {
	s, err := store.Open(context.Background(), store.Config{Database: os.Getenv(childVariable)})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("open")
	for i := 0; ; i++ {
		name := fmt.Sprintf("%d-%d", os.Getpid(), i)
		change, err := s.Apply(context.Background(), "child",
			store.Put(site(name), store.New), store.Put(host(name, "a"), store.New), store.Put(host(name, "b"), store.New))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(change, name)
	}
}

// kill starts a child, kills it when it has printed some lines or a time is
// over, and returns the lines.
func kill(t *testing.T, database string, lines int, after time.Duration) (printed []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+database)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		printed = append(printed, scanner.Text())
		if len(printed) >= lines {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	return printed
}

// A process that is killed while it changes things leaves all that it was told
// is made, and nothing by halves.
func TestKilledInPut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		var made []string
		for i := range 5 {
			for _, line := range kill(t, database, 3+7*i, 20*time.Second) {
				change, name, ok := strings.Cut(line, " ")
				if _, err := strconv.Atoi(change); err == nil && ok {
					made = append(made, name)
				} else if line != "open" {
					t.Fatal(line)
				}
			}
		}
		s := open(t, database, nil)
		world, change, err := s.World(t.Context())
		must(t, err)
		if problems := world.Check(); problems != nil {
			t.Error(problems)
		}
		for _, name := range made {
			for _, h := range []string{"a", "b"} {
				if _, ok := registry.Find[*registry.Host](world, name+"/"+h); !ok {
					t.Errorf("%s/%s is lost", name, h)
				}
			}
		}
		sites, hosts := len(registry.All[*registry.Site](world)), len(registry.All[*registry.Host](world))
		if sites < len(made) || hosts != 2*sites || change != int64(sites) {
			t.Errorf("%d sites with %d hosts after %d changes, of which %d were told", sites, hosts, change, len(made))
		}
		events, err := s.Audit(t.Context(), store.EventFilter{Limit: 10_000})
		if err != nil || len(events) != 3*sites {
			t.Errorf("%d events of %d sites: %v", len(events), sites, err)
		}
	})
}

// A process that is killed while it makes the tables leaves a database that the
// next one makes ready.
func TestKilledInMigration(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		for i := range 8 {
			kill(t, database, 1, time.Duration(10+i*8)*time.Millisecond)
		}
		s := open(t, database, nil)
		world, _, err := s.World(t.Context())
		must(t, err)
		if sites, hosts := len(registry.All[*registry.Site](world)), len(registry.All[*registry.Host](world)); hosts != 2*sites {
			t.Errorf("%d sites with %d hosts", sites, hosts)
		}
		apply(t, s, store.Put(site("after"), store.New))
	})
}
