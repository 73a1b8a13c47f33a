package netblock

// encoder turns ranges into blocks at the end of a page.
type encoder struct {
	page  page
	spans [8][]span // of the block under construction at each depth, reused
}

// encode returns the value of a prefix of 16*depth bits, whose addresses runs
// cover: a class, or a reference to a block appended to the page. The first run
// may start earlier than the prefix.
func (e *encoder) encode(runs []run, depth int) uint32 {
	if len(runs) == 1 {
		return runs[0].class
	}
	spans := append(e.spans[depth][:0], span{0, runs[0].class})
	for i := 1; i < len(runs); {
		key, j := runs[i].start.chunk(depth), i+1
		for j < len(runs) && runs[j].start.chunk(depth) == key {
			j++
		}
		aligned := runs[i].start == runs[i].start.masked(16*depth+16)
		if aligned && j == i+1 {
			spans = add(spans, key, runs[i].class)
			i = j
			continue
		}
		inside := runs[i:j]
		if !aligned {
			inside = runs[i-1 : j]
		}
		spans = add(spans, key, e.encode(inside, depth+1))
		if key < 1<<16-1 {
			spans = add(spans, key+1, runs[j-1].class)
		}
		i = j
	}
	e.spans[depth] = spans
	return e.block(spans)
}

// block appends a block and returns a reference to it.
func (e *encoder) block(spans []span) (ref uint32) {
	e.page, ref = e.page.appendBlock(spans)
	return ref
}

// add appends a span; one that starts at the same key is replaced.
func add(spans []span, key, value uint32) []span {
	if last := len(spans) - 1; spans[last].key == key {
		spans = spans[:last]
	}
	return append(spans, span{key, value})
}
