# What people and CI run. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup run test laws siege faults soak upgrade demo-backfill demo-migration check fmt docs bench bench-compare clean

TESTED := --locked --features failpoints

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{ printf "make %-14s %s\n", $$1, $$2 }'

setup: ## Install all that the other targets need; each also installs its own share
	@scripts/setup

run: ## Build and start the service, with a private database unless one is configured
	@scripts/setup run
	cargo run --release --locked -- serve

test: ## Unit and integration tests, on a private database or on ROSTER_TEST_DATABASE_URL
	@scripts/setup run
# What the tests need beside Rust is fetched while Rust compiles; most tests wait for servers, so four share two cores well.
	@scripts/setup test & setup=$$!; cargo test $(TESTED) --no-run; built=$$?; wait $$setup && exit $$built
	RUST_TEST_THREADS=4 cargo test $(TESTED) --no-fail-fast

laws: ## The property tests once more, with 10,000 cases each; CASES=n for fewer
	@scripts/setup run
	PROPTEST_CASES=$(or $(CASES),10000) cargo test $(TESTED) laws

siege: ## The attacks in their long form: minutes, not seconds
	@scripts/setup test
	ROSTER_SIEGE=long cargo test $(TESTED) --test it siege -- --nocapture --test-threads 1

faults: ## Kills, faults of a backfill and of a mirror, verification, drawn stories, in their long form: minutes, not seconds
	@scripts/setup test
	ROSTER_FAULTS=long cargo test $(TESTED) --test it -- backfill::faults backfill::model mirror:: verify:: converge:: crash:: isolation:: schema:: --nocapture --test-threads 1

soak: ## Two nodes under load, one of them restarted each minute, judged by the ledger; MINUTES=n, else 30
	@scripts/setup run
	ROSTER_SOAK_MINUTES=$(or $(MINUTES),30) cargo test $(TESTED) --test it -- crash::a_soak --ignored --nocapture

upgrade: ## Nodes of another commit and of this one side by side, under load: BEFORE=COMMIT
	@test -n "$(BEFORE)" || { echo "make upgrade BEFORE=COMMIT"; exit 2; }
	@scripts/setup run
	rm -rf target/before && git worktree prune && git worktree add --quiet --detach target/before $(BEFORE)
	cd target/before && CARGO_TARGET_DIR=$(CURDIR)/target cargo build --locked --bin roster
	cp target/debug/roster target/roster-before && git worktree remove --force target/before
	ROSTER_BEFORE=$(CURDIR)/target/roster-before cargo test $(TESTED) --test it upgrade:: -- --nocapture

demo-backfill: ## 200,000 people out of OpenSearch through Kafka into the tables, while they live; PEOPLE=n for fewer
	@scripts/setup test
	ROSTER_DEMO_PEOPLE=$(or $(PEOPLE),200000) cargo test $(TESTED) --test it backfill_demo -- --nocapture

demo-migration: ## 200,000 people leave OpenSearch for Roster, go back and leave again, under a live application; PEOPLE=n for fewer
	@scripts/setup test
	ROSTER_MIGRATION_PEOPLE=$(or $(PEOPLE),200000) cargo test $(TESTED) --test it migration_demo -- --nocapture

check: ## Formatting, lints, the compose file
	@scripts/setup check
	cargo fmt --check
	cargo clippy $(TESTED) --all-targets -- -D warnings
	@if docker compose version >/dev/null 2>&1; then \
	    docker compose config --quiet && echo "docker-compose.yml: correct"; \
	else \
	    .dev/compose-check/compose-check docker-compose.yml; \
	fi

fmt: ## Format the Rust and Go sources
	cargo fmt
	gofmt -w tests/crdb-parser tests/compose-check tests/collector

docs: ## Write docs/CONFIG.md and docs/METRICS.md again; a test compares them
	cargo run --locked -- docs --write

bench: ## Measure a release build; ARGS="..." is handed on
	@scripts/setup run
	cargo run --release --locked -- bench $(ARGS)

bench-compare: ## The same, held against BEFORE=run.json or docs/benchmarks.json: a ratio that is 10 % worse fails
	@scripts/setup run
	cargo run --release --locked -- bench $(ARGS) --compare $(or $(BEFORE),docs/benchmarks.json)

clean: ## Remove what was built and installed in this clone; data in .roster stays
	cargo clean
	rm -rf .dev
