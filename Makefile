# What every push runs, and the long ones.

.PHONY: test bench

test:
	cargo test --workspace --all-targets

# Measures, prints ratios and writes docs/benchmarks.md. `make bench ONLY=engine` (or files) measures
# one group and writes nothing.
bench:
	cargo bench --bench bench -- $(ONLY)
