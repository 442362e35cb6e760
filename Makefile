# Two commands: `make demo` and `make test`. Each installs what is missing first.

CARGO := cargo
# Options for the demo, for instance: make demo ARGS="--json --seconds 10"
ARGS :=

.DEFAULT_GOAL := help
.PHONY: help demo test setup check lint doc unit benches loom shuttle stress hours bench soak

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## A conference on your sound devices, with two simulated phones (ARGS="--help")
	@$(CARGO) run --locked --release --example conference -- $(ARGS)

test: setup check lint doc unit benches loom shuttle ## Everything that must pass
	@echo "All tests passed."

setup: ## Install what is missing (C compiler, pkg-config, cmake, ALSA headers)
	@sh scripts/setup.sh

check: ## Check format and rooms
	$(CARGO) fmt --all --check
	sh scripts/check-tree.sh

lint: ## Check with clippy, no warnings
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

doc: ## Build the documentation, no warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

unit: ## Run unit, integration and doc tests
	$(CARGO) test --locked --workspace

benches: ## Run each bench once, as a test
	$(CARGO) test --locked --benches

# Flags in the environment would take the place of those that make a model of the code.
loom: ## Model-check the lock-free parts, and their broken twins
	env -u RUSTFLAGS $(CARGO) loom

shuttle: ## Run the whole bus by a random scheduler (STASIS_SHUTTLE_ITERATIONS=100000 for longer)
	env -u RUSTFLAGS $(CARGO) shuttle

stress: ## Stress the bus (SECONDS=600)
	STASIS_STRESS_SECONDS=$(or $(SECONDS),60) $(CARGO) test --locked --release --test stress -- --nocapture

hours: ## Run a conference for eight hours of virtual time (HOURS=8), in about ten minutes
	STASIS_VIRTUAL_HOURS=$(or $(HOURS),8) $(CARGO) test --locked --release -p stasis-media --test hours -- --nocapture

bench: setup ## Measure (BENCH=fanout for one of them)
	$(CARGO) bench --locked $(if $(BENCH),--bench $(BENCH),--benches)

# What the media thread is run under; one after the other, all of them.
SOAKS := "--legs 200" "--legs 500 --rooms 50 --talkers 3" "--legs 100 --codec g722" \
	"--legs 40 --rooms 4 --talkers 3 --codec opus" \
	"--legs 200 --codec pcma --dtmf --record --churn 20 --slow-subscriber"

soak: setup ## Run the media thread under load and check all that comes back (SECONDS=3600)
	@status=0; for soak in $(SOAKS); do echo "\nsoak $$soak"; \
		$(CARGO) bench --locked --quiet --bench soak -- $$soak --seconds $(or $(SECONDS),20) $(ARGS) || status=1; \
	done; exit $$status
