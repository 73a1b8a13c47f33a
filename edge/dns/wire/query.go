package wire

// A Query is one message from a client. The zero value is ready for
// [Query.Parse]; it may be used again and again, by one goroutine at a time.
type Query struct {
	Name  Name // of the question; meaningful if Asked
	Type  uint16
	Class uint16
	Asked bool // there is exactly one question, and it could be read

	HasOPT bool
	DO     bool
	Size   int // the largest UDP message that the client takes
	NSID   bool
	Subnet Subnet
	Cookie Cookie

	id, flags uint16
	question  []byte // as the client wrote it
}

// Opcode returns the kind of query; 0 is QUERY.
func (q *Query) Opcode() int { return int(q.flags&maskOpcode) >> 11 }

// Parse reads a message. It is not ok where no answer may be given: to an
// answer, or to less than a header. Otherwise the query is to be answered with
// rcode unless that is NoError.
func (q *Query) Parse(b []byte) (rcode Rcode, ok bool) {
	if len(b) < headerLen || uint16At(b, 2)&flagQR != 0 {
		return 0, false
	}
	q.reset(uint16At(b, 0), uint16At(b, 2))
	return q.parse(b), true
}

// reset forgets the last message. Name is left: Asked says if it counts.
func (q *Query) reset(id, flags uint16) {
	q.id, q.flags = id, flags
	q.Type, q.Class, q.Asked, q.question = 0, 0, false, nil
	q.HasOPT, q.DO, q.NSID, q.Size = false, false, false, MinUDP
	q.Subnet, q.Cookie = Subnet{}, Cookie{}
}

func (q *Query) parse(b []byte) Rcode {
	questions := int(uint16At(b, 4))
	var at int
	if questions == 1 {
		at = q.parseQuestion(b)
	} else {
		at = skipQuestions(b, questions) // an OPT behind them wants one back
	}
	if at < 0 {
		return q.orNotImp(FormErr)
	}
	if rcode := q.parseRecords(b, at); rcode != NoError {
		return q.orNotImp(rcode)
	}
	switch {
	case q.Opcode() != 0:
		return NotImp
	case questions == 0 && q.Cookie.Present: // RFC 7873 section 5.4
		return NoError
	case questions != 1: // RFC 9619
		return FormErr
	}
	return NoError
}

// orNotImp returns rcode, but NotImp for opcodes that we do not know: their
// messages need not look like a query.
func (q *Query) orNotImp(rcode Rcode) Rcode {
	if q.Opcode() != 0 && rcode == FormErr {
		return NotImp
	}
	return rcode
}

// parseQuestion reads the one question and returns where it ends, or -1.
func (q *Query) parseQuestion(b []byte) int {
	n := q.Name.parse(b[headerLen:])
	end := headerLen + n + 4
	if n < 0 || end > len(b) {
		return -1
	}
	q.Type, q.Class = uint16At(b, end-4), uint16At(b, end-2)
	q.Asked, q.question = true, b[headerLen:end]
	return end
}

// skipQuestions returns where n questions end, or -1.
func skipQuestions(b []byte, n int) int {
	at := headerLen
	for range n {
		if at = skipName(b, at); at < 0 || at+4 > len(b) {
			return -1
		}
		at += 4
	}
	return at
}

// recordLen is the length of a record behind its owner name, without the data.
const recordLen = 10

// parseRecords walks over the records from at on, and reads the OPT. Others
// mean nothing to us: we update nothing and know no keys.
func (q *Query) parseRecords(b []byte, at int) Rcode {
	before := int(uint16At(b, 6)) + int(uint16At(b, 8))
	for i := range before + int(uint16At(b, 10)) {
		owner := at
		if at = skipName(b, at); at < 0 || at+recordLen > len(b) {
			return FormErr
		}
		end := at + recordLen + int(uint16At(b, at+8))
		if end > len(b) {
			return FormErr
		}
		// The OPT may stand anywhere in the additional section (RFC 6891
		// section 6.1.1), once, and its owner is the root.
		if i >= before && uint16At(b, at) == TypeOPT {
			if q.HasOPT || at != owner+1 {
				q.HasOPT = true
				return FormErr
			}
			if rcode := q.parseOPT(b[at:end]); rcode != NoError {
				return rcode
			}
		}
		at = end
	}
	return NoError
}
