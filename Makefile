# make help lists what there is.
SHELL := /bin/bash
GO    ?= go
TOOL   = $(GO) tool -modfile=tools.mod

# Go packages whose code runs at once in many places: their tests look for races.
RACY = ./internal/store/... ./internal/jobs/... ./internal/web/... ./internal/calcom/calsim/...

.PHONY: help test deps lint fmt unit race fuzz faults simulate build bench demo
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: deps lint unit race ## everything, real browser included; what CI runs
	@echo "make test: all passed"

deps: ## what the tests need from Debian's packages, if it is not there
	@./scripts/deps.sh

lint: ## formatting, vet, staticcheck
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted (make fmt): $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...

fmt: ## format the code
	@$(TOOL) gofumpt -w $$(git ls-files '*.go')

# More than Go's ten minutes for one package: a machine that others use needs them.
LIMIT = -timeout 20m

unit: ## all tests
	CGO_ENABLED=0 $(GO) test $(LIMIT) ./...

# SQLite, which is C made into Go, and the hash of passwords are not ours and have no
# races of ours: looking for them there takes twice the time of all the rest.
UNWATCHED = modernc.org/sqlite/lib modernc.org/libc modernc.org/memory golang.org/x/crypto/argon2

race: ## the tests of concurrent packages again, with the race detector
	CGO_ENABLED=1 $(GO) test $(LIMIT) -race $(UNWATCHED:%=-gcflags=%=-race=false) -short $(RACY)

fuzz: ## each fuzz target for a minute
	@./scripts/fuzz.sh

faults: deps ## all that can break, again and again, under load (hours); test runs a short form
	CGO_ENABLED=0 $(GO) test ./cmd/handoff -run TestFaults -v -timeout 12h -faults.rounds 200 -faults.forged 1000000

simulate: deps ## 10,000 bookings whose webhooks are lost, doubled and late, on both engines
	CGO_ENABLED=0 $(GO) test ./cmd/handoff -run TestEveryBookingIsAccountedFor -v -timeout 2h -simulate.bookings 10000

build: ## one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o handoff ./cmd/handoff

bench: deps ## ratios to a bare program and to other tools, an hour; BENCH="-quick" for a smoke run
	$(GO) run ./bench -o bench.md $(BENCH)

demo: ## the whole product with a stand-in for Cal.com
	$(GO) run ./cmd/handoff demo
