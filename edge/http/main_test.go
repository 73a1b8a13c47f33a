package http

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp keeps the time of Date for the whole process.
		goleak.IgnoreTopFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}
