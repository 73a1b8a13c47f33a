package store_test

import (
	"bufio"
	"context"
	"database/sql/driver"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"modernc.org/sqlite"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// childVariable names the database on which this program is to work as a child.
const childVariable = "WAYPOST_STORE_TEST_CHILD"

// child opens a database and changes it until it is killed. It prints every
// change that it was told is made.
func child() {
	if os.Getenv(slowVariable) != "" {
		slowChild()
		return
	}
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
func TestKilledAtTheStart(t *testing.T) {
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

// slowly returns our migrations and one that rests in the middle.
func slowly(tb testing.TB) fs.FS {
	tb.Helper()
	list := fstest.MapFS{}
	must(tb, fs.WalkDir(store.Migrations(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(store.Migrations(), path)
		list[path] = &fstest.MapFile{Data: text}
		return err
	}))
	list["99999_slow.sql"] = &fstest.MapFile{Data: []byte(`-- +goose Up
CREATE TABLE half (a BIGINT);
INSERT INTO half (a) VALUES (1);
SELECT pg_sleep(3);
INSERT INTO half (a) VALUES (2);
`)}
	return list
}

// slowVariable makes the child use the slow migrations.
const slowVariable = "WAYPOST_STORE_TEST_SLOW"

// slowChild migrates until it is killed. For SQLite, which has no pg_sleep, it
// makes one that says that it was called and returns never.
func slowChild() {
	sqlite.MustRegisterScalarFunction("pg_sleep", 1, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		fmt.Println("in the migration")
		select {}
	})
	_, err := store.OpenWith(context.Background(), store.Config{Database: os.Getenv(childVariable)}, slowly(new(testing.B)))
	fmt.Println("open", err)
}

// noSleep is this process's pg_sleep for SQLite: it does not.
var noSleep = sync.OnceFunc(func() {
	sqlite.MustRegisterScalarFunction("pg_sleep", 1, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return nil, nil //nolint:nilnil // SQL's NULL
	})
})

// A process is killed in the middle of a migration: that is seen by what the
// migration itself does. Nothing of it is left, and the next process completes it.
func TestKilledInMigration(t *testing.T) {
	noSleep()
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		before := open(t, database, nil) // our own migrations are done
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+database, slowVariable+"=1")
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		inside := make(chan string, 1)
		go func() {
			text, _ := bufio.NewReader(out).ReadString('\n')
			inside <- text
		}()
		if strings.HasPrefix(database, "postgres") {
			for n := int64(0); n == 0; {
				n, err = before.Number(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'`)
				must(t, err)
				select {
				case text := <-inside:
					t.Fatalf("the child said %q", text)
				default:
				}
			}
		} else if text := <-inside; text != "in the migration\n" {
			t.Fatalf("the child said %q", text)
		}
		must(t, cmd.Process.Kill())
		if err = cmd.Wait(); err == nil {
			t.Fatal("the child ended before it was killed")
		}
		n, err := before.Number(t.Context(), `SELECT COUNT(*) FROM half`)
		if err == nil {
			t.Errorf("half a migration is there: a table with %d rows", n)
		}
		n, err = before.Number(t.Context(), `SELECT COUNT(*) FROM goose_db_version WHERE version_id = 99999`)
		if err != nil || n != 0 {
			t.Errorf("the migration counts as done: %d, %v", n, err)
		}
		after, err := store.OpenWith(t.Context(), store.Config{Database: database}, slowly(t))
		must(t, err)
		defer after.Close() //nolint:errcheck // only read
		if n, err = after.Number(t.Context(), `SELECT COUNT(*) FROM half`); err != nil || n != 2 {
			t.Errorf("the next start made a table of %d rows, want 2: %v", n, err)
		}
	})
}
