# `make` or `make help` says what there is.
GO        ?= go
FUZZTIME  ?= 10s
BENCHTIME ?= 1s
LINT      := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help
.PHONY: help build run test race lint fuzz bench bench-bgp bench-control e2e

help: ## say what there is
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/waypost, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/waypost .

run: build ## build, then start a demo on loopback and print commands to try
	bin/waypost demo

test: ## run the tests
	$(GO) vet ./...
	$(GO) test -shuffle=on ./...

race: ## run the tests under the race detector
	$(GO) test -race -shuffle=on ./...

lint: ## run the linters
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; else $(LINT) run ./...; fi

fuzz: ## run every fuzz test for FUZZTIME (10s)
	@for pkg in $$($(GO) list ./...); do for name in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	  echo "$$pkg $$name"; $(GO) test -run='^$$' -fuzz="^$$name$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=5x $$pkg || exit 1; done; done

bench: ## run the benchmarks for BENCHTIME (1s) each
	$(GO) test -run='^$$' -bench=. -benchtime=$(BENCHTIME) ./...

bench-control: ## measure the control plane at full size, as BENCHMARKS.md has it (10 minutes or more, 4 GiB)
	$(GO) test -p=1 -run='^$$' -timeout=60m -benchtime=1x -v ./control/publish ./control/crawl ./control/scan ./control/store \
	  -bench='PublishAtScale|FiftyHosts|^BenchmarkCrawl$$|Unchanged|SavedState|MillionInOne|HowLong'
	$(GO) test -p=1 -run='^$$' -timeout=60m -benchtime=1x -v -bench=Large/2M ./edge/snapshot/wire

bench-bgp: build ## measure a full BGP table from a real bird (root; needs bird2; WAYPOST_BENCH_DATA for real prefixes)
	WAYPOST_BENCH_BGP=1 $(GO) test -tags=e2e -count=1 -timeout=10m -v -run='^TestFeedFullTable$$' ./edge/node/e2e

e2e: build ## drive the binary with real programs: dnf, apt, dig, rsync, nginx, PostgreSQL and more
	$(GO) test -tags=e2e -count=1 -timeout=20m ./edge/node/e2e/... ./control/e2e/...
