package mirrormanager_test

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message is an encoded protobuf message, or a part of one.
type message []byte

func (m message) num(field protowire.Number, v int64) message {
	m = protowire.AppendTag(m, field, protowire.VarintType)
	return protowire.AppendVarint(m, uint64(v))
}

func (m message) nums(field protowire.Number, vs ...int64) message {
	for _, v := range vs {
		m = m.num(field, v)
	}
	return m
}

func (m message) packed(field protowire.Number, vs ...int64) message {
	var b []byte
	for _, v := range vs {
		b = protowire.AppendVarint(b, uint64(v))
	}
	return m.text(field, string(b))
}

func (m message) text(field protowire.Number, s string) message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendString(m, s)
}

func (m message) sub(field protowire.Number, s message) message { return m.text(field, string(s)) }

// Entries of the cache's tables.
func textText(k, v string) message           { return message{}.text(1, k).text(2, v) }
func textNums(k string, vs ...int64) message { return message{}.text(1, k).nums(2, vs...) }
func numText(k int64, v string) message      { return message{}.num(1, k).text(2, v) }
func numNums(k int64, vs ...int64) message   { return message{}.num(1, k).nums(2, vs...) }
func numTexts(k int64, vs ...string) (m message) {
	m = m.num(1, k)
	for _, v := range vs {
		m = m.text(2, v)
	}
	return m
}

// A host of a directory in a test: its id and its URL ids.
type carrier struct {
	id   int64
	urls []int64
}

// dir encodes an entry of MirrorListCache.
func dir(name, subpath string, global []int64, held ...carrier) message {
	m := message{}.text(1, name).nums(2, global...)
	if subpath != "" {
		m = m.text(3, subpath)
	}
	for _, h := range held {
		m = m.sub(6, numNums(h.id, h.urls...))
	}
	return m
}

// fixtureF is the cache of the mirrorlist-server's own tests (do_mirrorlist_test).
func fixtureF() (fields []message) {
	fields = append(fields, message{}.num(1, 1_700_000_000))
	for _, v := range [][2]int64{{1, 100}, {42, 83}, {100, 1000}} {
		fields = append(fields, message{}.sub(13, numNums(v[0], v[1])))
	}
	for _, id := range []int64{421, 422, 423, 11, 12, 13, 1001, 1002, 1003} {
		fields = append(fields, message{}.sub(4, numText(id, fmt.Sprintf("http://hcurl%d/test-%d", id, id))))
	}
	for _, name := range []string{"directory/level/three", "directory/level/three/repodata"} {
		d := dir(name, "", []int64{1, 42, 100},
			carrier{42, []int64{421, 422, 423}}, carrier{1, []int64{11, 12, 13}}, carrier{100, []int64{1001, 1002, 1003}})
		fields = append(fields, message{}.sub(16, d.sub(4, textNums("SE", 42))))
	}
	return fields
}

// minimal is a valid cache with one directory on one host, with more fields after it.
func minimal(more ...message) []byte {
	fields := []message{
		message{}.num(1, 1_700_000_000),
		message{}.sub(4, numText(10, "https://one.example.org/top/")),
		message{}.sub(16, dir("top", "", []int64{1}, carrier{1, []int64{10}})),
	}
	return join(append(fields, more...))
}

func join(fields []message) []byte { return slices.Concat(fields...) }
