# Two commands: `make demo` and `make test`. Each installs what is missing first.

CARGO := cargo
# Options for the demo, for instance: make demo ARGS="--json --seconds 10"
ARGS :=

.DEFAULT_GOAL := help
.PHONY: help demo demo-ari demo-ivr test test-apps test-clients setup check lint doc unit benches loom shuttle stress faults hours bench soak dtmf-speech dtmf-suite

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## A conference on your sound devices, with two simulated phones (ARGS="--help")
	@$(CARGO) run --locked --release --example conference -- $(ARGS)

demo-ari: ## A conference room of an ARI application in Python, with four simulated callers (ARGS="--seconds 20")
	@sh scripts/setup.sh python
	@sh examples/apps/run.sh conference $(ARGS)

demo-ivr: ## A voice menu of an ARI application in Node, with four simulated callers
	@sh scripts/setup.sh node
	@sh examples/apps/run.sh ivr $(ARGS)

test: setup check lint doc unit test-clients test-apps benches loom shuttle ## Everything that must pass
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

test-apps: ## Run the ARI applications of examples/apps, each with its callers, and check what they say (half a minute)
	@sh scripts/setup.sh python node
	sh examples/apps/test.sh

test-clients: ## Run client libraries of ARI, as they are published, against the server (40 s)
	@sh scripts/setup.sh python node
	$(CARGO) build --locked -p stasis-server
	@sh server/tests/clients/run.sh $(or $(CARGO_TARGET_DIR),target)

benches: ## Run each bench once, as a test
	$(CARGO) test --locked --benches

# Flags in the environment would take the place of those that make a model of the code.
loom: ## Model-check the lock-free parts, and their broken twins
	env -u RUSTFLAGS $(CARGO) loom

shuttle: ## Run the whole bus by a random scheduler (STASIS_SHUTTLE_ITERATIONS=100000 for longer)
	env -u RUSTFLAGS $(CARGO) shuttle

stress: ## Stress the bus (SECONDS=600)
	STASIS_STRESS_SECONDS=$(or $(SECONDS),60) $(CARGO) test --locked --release --test stress -- --nocapture

faults: ## Disturb the media engine, each fault for a while (SECONDS=60)
	STASIS_FAULT_SECONDS=$(or $(SECONDS),10) $(CARGO) test --locked --release -p stasis-media \
		--test faults --test faults_process -- --nocapture

hours: ## Run a conference for eight hours of virtual time (HOURS=8), in about ten minutes
	STASIS_VIRTUAL_HOURS=$(or $(HOURS),8) $(CARGO) test --locked --release -p stasis-media --test hours -- --nocapture

bench: setup ## Measure (BENCH=fanout for one of them)
	$(CARGO) bench --locked $(if $(BENCH),--bench $(BENCH),--benches)

# What the media thread is run under: a name, and what is asked for. The second is what must hold:
# 3,000 legs in one room, all of them talking.
SOAKS := "legs-1000 --legs 1000 --rooms 1" \
	"legs-3000 --legs 3000 --rooms 1" \
	"rooms-300 --legs 3000 --rooms 300" \
	"dtmf --legs 1500 --rooms 150 --dtmf" \
	"opus-60 --legs 60 --rooms 6 --codec opus" \
	"opus-2500 --legs 2500 --rooms 1 --talkers 3 --codec opus" \
	"idle-10000 --legs 0 --idle-rooms 10000" \
	"churn --legs 1000 --rooms 100 --churn 1000 --record --slow-subscriber"

soak: setup ## Run media threads under load, 10 s each, and check all that comes back (SECONDS=60)
	@status=0; rm -rf target/soak; for soak in $(SOAKS); do \
		name=$${soak%% *}; printf '\nsoak %s\n' "$$soak"; \
		$(CARGO) bench --locked --quiet --bench soak -- $${soak#* } --seconds $(or $(SECONDS),10) \
			--name $$name --report target/soak/$$name --summary target/soak/summary.txt $(ARGS) || status=1; \
	done; echo; cat target/soak/summary.txt; exit $$status

# Speech and music for the DTMF detector; and where the suite's own files go.
DIR := target/dtmf-speech
SUITE := target/dtmf-suite
SPOKEN = $(DIR)/speech $(DIR)/tts $(DIR)/music

dtmf-speech: ## Make hours of speech and music for the DTMF detector (DIR=target/dtmf-speech)
	sh scripts/dtmf-speech.sh $(DIR)

dtmf-suite: setup dtmf-speech ## Hear all of the DTMF suite's files and compare it with the figures to reach (DIR, ARGS="--worst 20")
	rm -rf $(SUITE)
	@echo "Writing the suite to $(SUITE)…"
	$(CARGO) bench --locked --quiet --bench dtmf_suite -- --write $(SUITE) --voices 2 $(SPOKEN:%=--speech %)
	@echo "Listening to it, and to $(DIR)…"
	$(CARGO) run --locked --quiet --release --example dtmf -- --json $(SUITE) $(SPOKEN) >$(SUITE)/heard.jsonl
	$(CARGO) bench --locked --quiet --bench dtmf_suite -- --score $(SUITE) $(SPOKEN:%=--speech %) $(ARGS) \
		<$(SUITE)/heard.jsonl
