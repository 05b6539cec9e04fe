# Parley: `make up` starts it, `make test` tests it, `make help` lists the rest.
# Every target sets up what it needs itself.

# Without either, where the last start with the same data was, else port 8080.
PORT    ?=
LISTEN  ?= $(if $(PORT),127.0.0.1:$(PORT))
DATA    ?= data
# Which stack; without one, the one that runs or the one that can.
STACK   ?=
BIN     := bin/parley
# What `parley version` says; without Git, what Go knows of the source.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
ENGINE  := deploy/engine/node_modules/.package-lock.json
WEB     := web/node_modules/.package-lock.json
DOCS    := scripts/docs/node_modules/.package-lock.json
PAGE    := web/dist/index.html
# The page is rebuilt when anything it is made of changes.
PAGE_SOURCES := $(shell find web/page web/sdk web/scripts web/package-lock.json -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
NPM_CI      := npm ci --no-audit --no-fund

# What runs against Apache Kafka too, what takes longest first. Most of it waits for
# brokers, so three packages are tested at once.
KAFKA_TESTED := ./tests ./internal/eventlog ./projector ./chatworker ./tests/chaos \
	./internal/testing/kraft/... ./internal/hooks ./internal/ingest ./internal/epoch ./internal/rules ./internal/history ./internal/ops/verify ./internal/ops/epoch ./internal/ops/doctor ./internal/ops/format ./internal/ops/topics

# The program needs no C compiler; the race detector does.
RACE := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo -race)

# Tests that play what operators do. They take minutes.
REHEARSALS := ^(TestMoveByBackup|TestRestoreAfterALoss|Test.*DiskIsFull|TestBytesPerMessage|TestMemoryPerSession|TestPythonConsumer.*|TestShow|TestRollingUpgrade|TestRolesComeAndGoUnderLoad)$$

CHAOS_FLAGS = $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(BROKERS),--brokers $(BROKERS))

export LISTEN DATA STACK PARTS PLATFORMS WITHOUT_ENGINE

.PHONY: help check race-check FORCE
.PHONY: up down ps logs clean-data
.PHONY: build release release-image publish kafka jaeger generate docs screenshots
.PHONY: test rehearse test-go test-web test-parking test-websocket test-api test-pomelo test-release test-deploy test-docker bad-input fuzz lint audit sim
.PHONY: bench bench-curves floods hostile chaos soak once handover storm planted
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

up: ## start Parley in the background (STACK=embedded|processes|docker, PORT=8080 or LISTEN=host:port, DATA=data; later starts keep the port)
	@scripts/stack.sh up

down: ## stop it; the data stays (PARTS="roles" or names from `make ps`: those alone)
	@scripts/stack.sh down

ps: ## show what runs of it, where, and whether it is ready
	@scripts/stack.sh ps

logs: ## follow its log
	@scripts/stack.sh logs

clean-data: ## ask, then delete the data and start over (CONFIRM=yes does not ask)
	@scripts/stack.sh clean-data

build: check $(BIN) ## build bin/parley with everything that it needs beside it

$(BIN): $(ENGINE) $(PAGE) FORCE
	@mkdir -p bin
	@echo "building $@"
	@CGO_ENABLED=0 go build -trimpath -ldflags '-X github.com/parley-chat/parley/internal/roles.Release=$(VERSION)' -o $@ .
	@scripts/engine.sh bin

$(ENGINE): deploy/engine/package-lock.json
	@echo "installing the ClickHouse engine (once, about 550 MB)"
	@cd deploy/engine && $(NPM_CI)
	@touch $@

release: check $(PAGE) ## make archives, the npm package, a list of what is in them and their checksums in bin/release (VERSION=v1.0.0, PLATFORMS="linux-amd64 linux-arm64 darwin-arm64")
	@VERSION=$(VERSION) scripts/release.sh

release-image: ## make the image parley:VERSION, which holds everything, from bin/release (VERSION=v1.0.0; a Docker engine)
	@VERSION=$(VERSION) scripts/release-image.sh

publish: ## publish bin/release and the image, logged in to GitHub and npm (VERSION=v1.0.0)
	@VERSION=$(VERSION) scripts/publish.sh

kafka: ## get Apache Kafka into deploy/kafka/libs (Java 17 and Maven)
	@deploy/kafka/get.sh

$(WEB): web/package-lock.json
	@echo "installing what the page is built with (once)"
	@cd web && $(NPM_CI)
	@touch $@

$(PAGE): $(WEB) $(PAGE_SOURCES)
	@echo "building the page"
	@cd web && npm run --silent build
	@touch $@

test: check race-check $(ENGINE) $(PAGE) test-go test-web ## run the tests, all but the rehearsals

# Most tests wait for servers more than they compute, so more run at once than
# there are cores; ./tests, which takes longest, begins first.
test-go: $(ENGINE)
	go test $(RACE) -p 3 -parallel 4 -timeout 20m -skip '$(REHEARSALS)' ./tests ./...
	cd examples/token-endpoint && go vet ./... && go test $(RACE) ./...
	cd tests/bench/curves && go vet ./... && go test ./...

rehearse: check race-check $(ENGINE) ## run the tests of what operators do: backup, restore, upgrade, full disks, sizes (minutes)
	go test $(RACE) -count=1 -timeout 20m -run '$(REHEARSALS)' ./tests ./tests/chaos

test-web: $(ENGINE) $(PAGE) test-go
	cd web && npm test

# Without Java or Maven there is nothing to test against, which CI does not take.
test-kafka: check $(ENGINE) ## run the tests of what the log is for against Apache Kafka (minutes)
	@deploy/kafka/get.sh || { [ "$$CI" != true ] && echo "the tests against Apache Kafka are skipped"; }
	@[ ! -d deploy/kafka/libs ] || PARLEY_TEST_KAFKA=apache go test -count=1 -p 3 -timeout 25m $(KAFKA_TESTED)

test-parking: check race-check ## run the connector's tests with connections that are parked after every message, and never (minutes)
	go test $(RACE) -count=1 -timeout 20m -tags parkalways ./connector/...
	go test $(RACE) -count=1 -timeout 20m -tags parknever ./connector/...

test-deploy: check $(ENGINE) $(PAGE) ## check what is shipped in deploy/ against the program and the servers it is for
	cd deploy/check && go vet ./... && go test -timeout 20m ./...

test-websocket: ## run Autobahn's test suite against the connection layer (a minute; Python 2.7 with pip, else skipped)
	@scripts/websocket.sh

test-api: build ## run clients that generators make of the OpenAPI document (a minute; Python 3.11 with venv, else Go alone)
	@scripts/test-api.sh

test-pomelo: check $(ENGINE) $(PAGE) ## run clients of pomelo from npm and PyPI against two connectors, with the page too (a minute)
	@scripts/pomelo.sh

bad-input: check race-check ## play all bad input, count its cases (1,000 at least)
	@scripts/bad-input.sh $(RACE)

fuzz: check ## fuzz every target, two at a time (FUZZTIME=10s)
	@FUZZTIME=$(or $(FUZZTIME),10s) scripts/fuzz.sh

test-release: check $(PAGE) ## make this platform's release and use it as somebody without Go and Node would (a minute)
	@scripts/test-release.sh

test-docker: check ## start the docker stack on a Docker engine of its own, chat on it and harm it (minutes; root)
	@scripts/test-docker.sh

lint: $(WEB) ## gofmt, go vet, staticcheck, size of files, shellcheck, language of texts and comments, what npm would publish
	@scripts/gofmt.sh
	go vet ./...
	go run $(STATICCHECK) ./...
	@scripts/filesize.sh
	@scripts/shellcheck.sh
	@scripts/language.sh
	@cd web && npm run --silent lint

audit: ## gosec, govulncheck and npm audit, each where its database answers
	@scripts/audit.sh

generate: ## generate code from the schema again
	go generate ./...

$(DOCS): scripts/docs/package-lock.json
	@echo "installing what the documentation is rendered with (once, about 150 MB)"
	@cd scripts/docs && $(NPM_CI) --ignore-scripts
	@touch $@

# A browser then opens every page, to see that it is whole.
screenshots: check $(ENGINE) $(PAGE) ## write pictures of the page in its states into docs/images (a minute)
	cd web && PARLEY_SCREENSHOTS=../docs/images npx vitest run --project stack tests/stack/pictures.test.ts tests/stack/paths.test.ts

docs: check $(DOCS) $(WEB) ## render the client protocol and the SDK's reference as pages in bin/docs
	@node scripts/docs/render.js
	@cd web && PARLEY_TEST_DOCS=1 npx vitest run --project docs
	@printf 'open in a browser:\n  %s\n  %s\n' "$(CURDIR)/bin/docs/protocol/index.html" "$(CURDIR)/bin/docs/sdk/index.html"

bench: build ## measure this machine (minutes; PEER=bin/centrifugo: Centrifugo in turns with it)
	go run ./tests/bench --binary $(BIN) $(if $(PEER),--peer $(PEER))

# What was measured is drawn although a curve has failed.
bench-curves: build ## measure growth curves of this machine, draw them in docs/images/curves (three quarters of an hour; ONLY=members or another: that one; LONGEST=100000000: the longest history, an hour more)
	@failed=0; go run ./tests/bench --binary $(BIN) --curves docs/images/curves $(if $(ONLY),--only $(ONLY)) $(if $(LONGEST),--longest $(LONGEST)) || failed=1; \
	cd tests/bench/curves && go run . ../../../docs/images/curves && exit $$failed

floods: build ## flood this machine's Parley, see that it keeps its bounds of memory (minutes)
	go run ./tests/bench --binary $(BIN) --only floods

hostile: build ## 1 % hostile clients on one connector, and what the others notice of them (DURATION=10m CLIENTS=20000; twice DURATION and minutes)
	go run ./tests/bench --binary $(BIN) --only hostile $(if $(DURATION),--duration $(DURATION)) $(if $(CLIENTS),--clients $(CLIENTS))

show: $(ENGINE) ## show the guarantees on real processes, or one of them (G=1 to 10)
	@scripts/show.sh $(G)

sim: ## simulate log, workers, connectors and clients: 10,000 seeds, and planted bugs
	go test -count=1 -timeout 30m -run TestSim ./tests/sim

chaos: $(ENGINE) ## harm a running Parley, then check every guarantee (DURATION=30s SEED=n RUNS=n BROKERS=3)
	go run ./tests/chaos/run $(CHAOS_FLAGS) --results docs/chaos-results.md

once: $(ENGINE) ## send 20,000 messages three times each, by clients, the API and ingest, while roles are killed (N=10000)
	go test ./tests -run TestOnceThroughEveryDoor -once $(or $(N),10000) -timeout 20m -count 1 -v

soak: $(ENGINE) ## restart every role in turn under load, see that nothing grows (DURATION=10m)
	go run ./tests/chaos/run --rolling --duration 10m $(CHAOS_FLAGS) --results docs/chaos-results.md

handover: $(ENGINE) ## stop, start and kill workers one by one, see how long messages are held up (DURATION=100s)
	go run ./tests/chaos/run --handover --duration 100s $(CHAOS_FLAGS) --results docs/chaos-results.md

storm: $(ENGINE) ## kill all connectors at once, see how soon everybody is back (CLIENTS=1000)
	go run ./tests/chaos/run --storm --clients 1000 $(CHAOS_FLAGS) --results docs/chaos-results.md

jaeger: bin/jaeger ## build Jaeger, a store of traces, for the tests and `make up` (once, minutes)

bin/jaeger: deploy/jaeger/go.mod deploy/jaeger/go.sum
	@mkdir -p bin
	@echo "building Jaeger from its Go module (once, about 8 minutes of one core)"
	@cd deploy/jaeger && CGO_ENABLED=0 go build -o ../../$@ github.com/jaegertracing/jaeger/cmd/jaeger

bin/docker-compose: deploy/compose/go.mod deploy/compose/go.sum
	@mkdir -p bin
	@echo "building docker compose from its Go module (once, about 8 minutes of one core)"
	@cd deploy/compose && CGO_ENABLED=0 go build -trimpath -o ../../$@ github.com/docker/compose/v2/cmd

planted: $(ENGINE) ## plant bugs in the program, see the fault suite catch each (minutes)
	PARLEY_PLANTED=1 go test -count=1 -timeout 30m -run TestPlantedInTheProgram -v ./tests/chaos

check:
	@scripts/check.sh

race-check:
	@scripts/race.sh "$(RACE)"
