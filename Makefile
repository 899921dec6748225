# lb: one command for each thing a person wants of this repository. Bare `make` lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PORT ?= 8080
FUZZ_RUNS ?= 20000
IMAGE ?= lb

BIN := ./node_modules/.bin
# Written by npm itself at the end of an install: as new as the lock file, nothing has to be installed.
INSTALLED := node_modules/.package-lock.json
TESTS := node dist/test/main.js
# Made of the schema by ajv, which takes too long for each start.
SCHEMA_CHECK := dist/lib/config/schema-check.cjs

##@ First steps
setup: build ## install what is needed and build
demo: build ## start it with three demo servers, on port 8080 (PORT=)
	@node bin/lb.js $(PORT)

##@ Work
build: $(INSTALLED) prune ## compile what has changed
	@$(BIN)/tsc -p tsconfig.json
	@$(MAKE) --no-print-directory -s $(SCHEMA_CHECK)
check: build ## types, format, lint; lists files over 500 lines, which may hold a second noun
	@$(BIN)/biome check .
	@$(BIN)/eslint .
	@find lib -name '*.ts' | xargs wc -l | awk '$$2 != "total" && $$1 > 500 { print "over 500 lines: " $$2 " (" $$1 ")" }'
docs: build ## write docs/configuration.md from the schema
	@node dist/test/docs/main.js
# Compiles in spite of errors: the types may be what is to be mended.
types: $(INSTALLED) ## write lib/config/settings.ts from the schema
	@$(BIN)/tsc -p tsconfig.json > /dev/null || true
	@node dist/test/docs/write-types.js
clean: ## remove everything that was built
	rm -rf dist .tap

##@ Tests
test: build ## what a change needs, in minutes; or the tests of some folders (ONLY="net/ http/"), on another Node (NODE=path), over TLS (TLS=1 with ONLY="client/ exchange/"), in threads (WORKERS=3)
	@LB_TESTS="$(ONLY)" LB_NODE="$(NODE)" LB_TEST_TLS="$(TLS)" LB_TEST_WORKERS="$(WORKERS)" $(TESTS)
test-slow: build ## the others: containers, browsers, packages, authorities, ten thousand hosts
	@LB_TEST_SET=slow LB_NODE="$(NODE)" $(TESTS)
e2e: build ## only the tests with containers
	@LB_TESTS=compose/ $(TESTS)
fuzz: build ## the property tests with many more runs (FUZZ_RUNS=20000)
	@LB_FUZZ_RUNS=$(FUZZ_RUNS) LB_TESTS=.property. $(TESTS)
bench: build ## compare with nginx and HAProxy on the same servers (ARGS=)
	@node dist/test/bench/main.js $(ARGS)
trace: build ## the functions one warm GET runs through, in order (ARGS=--counts: how many, by file)
	@node dist/test/trace/main.js $(ARGS)
chaos: build ## what clients notice of failing servers, with lb, nginx and HAProxy (ARGS=, WORKERS=3: threads of lb)
	@$(or $(NODE),node) dist/test/chaos/main.js $(if $(WORKERS),--workers $(WORKERS)) $(ARGS)
hostile: build ## what other clients wait while somebody attacks, with lb, nginx and HAProxy (ARGS=)
	@node dist/test/hostile/main.js $(ARGS)

##@ Packages, in dist/packages
dist: build ## a tarball with its own Node: unpack, bin/lb (NODE=path for another)
	@NODE="$(NODE)" node packaging/tarball/make-tarball.mjs
deb: build ## a Debian package of the same (NODE=path, DEB_COMPRESSION=gzip)
	@NODE="$(NODE)" DEB_COMPRESSION="$(DEB_COMPRESSION)" node packaging/deb/make-deb.mjs
image: ## a container image (IMAGE=lb, NODE_IMAGE=name for another base)
	@docker build --tag "$(IMAGE)" $(if $(NODE_IMAGE),--build-arg NODE_IMAGE="$(NODE_IMAGE)") .

##@ Containers
up: ## two mango and two apple servers, the balancer before them
	@compose/compose.sh --profile lb up -d
down: ## stop them
	@compose/compose.sh --profile lb down

$(INSTALLED): package.json package-lock.json
	npm ci --ignore-scripts
	@touch $@

$(SCHEMA_CHECK): lib/config/schema.json lib/config/schema-check.ts package-lock.json packaging/add-schema-check.mjs
	@node packaging/add-schema-check.mjs

# A test whose source is gone would still run: what was compiled from nothing goes too.
prune:
	@if [ -d dist ]; then cd dist && find lib test fixtures -name '*.js' 2>/dev/null | while read -r built; do \
	  source="$${built%.js}.ts"; \
	  [ -f "../$$source" ] || rm -f "$$built" "$$built.map" "$${built%.js}.d.ts"; \
	done; fi

help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo

.PHONY: setup demo build check docs types clean test test-slow e2e fuzz bench trace chaos hostile dist deb image up down prune help
