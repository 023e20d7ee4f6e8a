# Kentongan. `make` alone prints what there is.
GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

run: build ## the whole house on this machine: sample company, phones, no accounts
	./bin/kentongan serve --sandbox

test: ## every test
	$(GO) test -shuffle=on -count=1 ./...

race: ## every test under the race detector
	$(GO) test -race -shuffle=on -count=1 ./...

bench: ## measured beside the raw limits of NATS and Redis in the same run
	$(GO) test -run '^$$' -bench . -benchtime 1x ./internal/app/...

lint: ## gofmt, go vet, golangci-lint
	@test -z "$$(gofmt -l cmd internal templates)" || { gofmt -l cmd internal templates; exit 1; }
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run ./...

check: lint race ## what a change must pass

build: ## bin/kentongan
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/kentongan ./cmd/kentongan

clean: ## remove what was built
	rm -rf bin .artefacts

.PHONY: help run test race bench lint check build clean
