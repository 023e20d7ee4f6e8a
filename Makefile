# Kentongan. `make` alone prints what there is.
GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# The newest that was tried with this Go; it brings staticcheck with it.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 20s

.DEFAULT_GOAL := help

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-8s %s\n", $$1, $$2}'

run: build ## the whole house on this machine: sample company, phones, no accounts
	./bin/kentongan serve --sandbox

test: ## every test, once: under the race detector, but for what starts processes or a browser or takes hours
	$(GO) run ./.ci/once

check: lint test ## what a change must pass

race: ## the tests under the race detector, without those that start processes or a browser
	$(GO) test -race -short -shuffle=on -count=1 ./...

fuzz: ## every fuzz target for FUZZTIME (20s)
	@grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' internal | sed 's/:[0-9]*:func / /' | while read -r file target; do \
		echo "$$target in $$(dirname $$file)"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname $$file)" || exit 1; \
	done

golden: ## write the golden files of the messages again; read the difference like prose
	$(GO) test ./internal/announcement -run Golden -update
	git diff --stat -- internal/announcement/testdata

gallery: ## every page and message with made-up data, in .artefacts/gallery
	$(GO) test ./internal/web -count=1 -run TestGallery -gallery $(CURDIR)/.artefacts/gallery
	@echo "open .artefacts/gallery/index.html"

budgets: ## what every page costs a phone or a computer, with its worst data; the times are with make board
	$(GO) test ./internal/web -count=1 -v -run '^TestBudgets$$' -budgets
	$(GO) test ./internal/channel/webpush -count=1 -v -run '^TestPayloadStaysSmall$$'
	$(GO) test ./internal/app -count=1 -v -run '^TestBudgetOfWhatAPhoneKeeps$$'

board: ## a board with 50,000 people: first byte, size, events while 500 a second answer
	$(GO) test ./internal/app -count=1 -v -run '^TestBoardOf50000People$$'

way: ## a fire from HR's first click to its correction, in a browser, timed by its steps
	$(GO) test ./internal/app -count=1 -v -run '^TestTheWholeWay$$'

tools: ## what judges the pages in tests: axe and the Nu Html Checker, by npm
	npm ci --prefix .ci/npm --ignore-scripts --no-audit --no-fund --loglevel=error

checks: tools ## every page in a browser: axe, HTML, narrow, wide, keyboard, print, policy
	CHECKS=1 $(GO) test ./internal/web -count=1 -timeout 30m -run 'Check[0-9]|HTMLIsValid|Budgets|Gallery'

shots: ## a picture of every page, both languages, phone and desk, light and dark, in .artefacts/shots
	$(GO) test ./internal/web -count=1 -timeout 60m -run '^TestShots$$' -shots $(CURDIR)/.artefacts/shots
	$(GO) test ./internal/app -count=1 -timeout 60m -run '^TestScreens$$' -screens $(CURDIR)/.artefacts/screens

sheet: ## the contact sheet of the README
	$(GO) test ./internal/web -count=1 -run '^TestContactSheet$$' -sheet $(CURDIR)/deploy/screens/contact-sheet.png

bench: ## measured beside the raw limits of NATS and Redis in the same run
	$(GO) test -run '^$$' -bench . -benchtime 1x ./internal/app/...

# A seed repeats a run: make chaos SEED=7 PLAN=kills
PLAN ?= mixed
chaos: build ## a whole installation attacked while it alarms 5,000 people: PLAN=mixed, kills, rolling, failover; SEED=
	$(GO) build -o bin/nats-server github.com/nats-io/nats-server/v2
	$(GO) run ./cmd/chaos -plan $(PLAN) $(if $(SEED),-seed $(SEED)) $(CHAOS)

chaos-short: ## the same in less than four minutes, for a change
	$(MAKE) chaos CHAOS="-short -people 2000 -length 75s $(CHAOS)"

check-deploy: ## deploy/ judged by the code of Compose, Prometheus and Kubernetes
	cd .ci/deploycheck && $(GO) test -count=1 ./...

# The database of vulnerabilities as the module mirror has it: no other host is asked.
VULNDB = golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018
PATCHED = go1.26.10

vuln: ## known vulnerabilities that the code reaches, built with the Go of the image
	@dir=$$($(GO) mod download -json $(VULNDB) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && \
		$(GO) run $(subst @,/cmd/indexdb@,$(VULNDB)) -vulns $$dir/data/osv -out $(CURDIR)/.artefacts/vulndb
	GOTOOLCHAIN=$(PATCHED) $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 -db file://$(CURDIR)/.artefacts/vulndb ./...

lint: ## gofmt, golangci-lint (go vet and staticcheck are in it), go mod tidy
	@test -z "$$(gofmt -l cmd internal templates)" || { echo "not formatted:"; gofmt -l cmd internal templates; exit 1; }
	$(GO) run $(GOLANGCI) run ./...
	$(GO) mod tidy -diff

# With the flags of the tests, so that nothing is compiled twice. deploy/Dockerfile
# makes the static one.
build: ## bin/kentongan
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/kentongan ./cmd/kentongan

clean: ## remove what was built
	rm -rf bin .artefacts

.PHONY: help run test check check-deploy race fuzz golden gallery budgets board way tools checks shots sheet bench chaos chaos-short lint vuln build clean
