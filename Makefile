# What every push runs, and the long ones.

.PHONY: test demo crds bench

# Everything that must hold.
test:
	cargo test --workspace

# The main job on a copy of examples/us-eu: plan, apply, and what it changed.
demo:
	cargo build --quiet
	PATH="$(CURDIR)/target/debug:$$PATH" examples/demo.sh target/demo

# What is generated from src/api.
crds:
	cargo run --quiet -- crds --dir crds

# Measures, prints ratios and writes docs/benchmarks.md. `make bench ONLY=engine` (or files) measures
# one group and writes nothing.
bench:
	cargo build --release
	cargo run --release --package stablekey-bench -- $(ONLY)
