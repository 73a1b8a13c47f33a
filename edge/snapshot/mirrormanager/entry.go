package mirrormanager

// An entry is one {key = 1, value = 2} message: the cache has no protobuf maps.
// Its parts are good until the message's bytes are overwritten; ints and texts
// until the entry is read again.
type entry struct {
	name  []byte   // the key, where that is a string
	id    int64    // the key, where that is a number
	texts [][]byte // the values, where those are strings
	ints  []int64  // the values, where those are numbers
}

// A shape says which kind of entry a field holds.
type shape uint8

const (
	named  shape = 1 << iota // string keys
	worded                   // string values
	many                     // values are repeated: none is fine

	stringString = named | worded
	stringInts   = named | many
	stringBool   = named
	intString    = worded
	intInt       = shape(0)
	intInts      = many
	intStrings   = worded | many
)

// read reads a message of the given shape. Of a value that is not repeated the last counts.
func (e *entry) read(f *fields, s shape) {
	e.name, e.id = nil, 0
	e.texts, e.ints = e.texts[:0], e.ints[:0]
	keyed := false
	for f.next() {
		switch {
		case f.num == 1 && s&named != 0:
			e.name, keyed = f.text("key"), true
		case f.num == 1:
			e.id, keyed = f.int("key"), true
		case f.num == 2 && s&worded != 0:
			e.texts = append(e.texts, f.text("value"))
		case f.num == 2:
			e.ints = f.ints("value", e.ints)
		default:
			f.skip()
		}
	}
	f.require(keyed, "key")
	f.require(s&many != 0 || len(e.texts)+len(e.ints) > 0, "value")
}

// text returns the value of an entry with one string.
func (e *entry) text() []byte { return e.texts[len(e.texts)-1] }

// int returns the value of an entry with one number.
func (e *entry) int() int64 { return e.ints[len(e.ints)-1] }
