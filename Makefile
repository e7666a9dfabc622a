# What every push runs, and the long ones.

.PHONY: test check soak fuzz control-plane tools prism language-server forges browser earlier release-tools \
	clusters demo crds bench image reproducible release-dry-run deny

# Everything that must hold, as far as this machine can run it: without Go, the tests on real servers are
# skipped, without Node those with prism, and the last line counts them. NO_SKIP=1: nothing is skipped.
test:
	hack/test

# The tests that need no Go and no server, for between two edits: within two minutes after a build.
check:
	cargo test --lib --test offline -- --skip power_cuts:: --skip canary:: --skip commits::described::

# The long ones: laws on many more worlds, readers on many more broken files, every fault at every
# request, an older Kubernetes, and the benchmarks.
soak:
	NO_SKIP=1 SOAK=1 LAWS=10000 PROPTEST_CASES=20000 hack/test
	KUBEBUILDER_ASSETS="$$(hack/control-plane/build older)" cargo test --test clusters -- --skip controller::
	$(MAKE) bench

# The readers and the editor on inputs that a fuzzer finds, guided by coverage: a number of executions each, within
# five minutes once AFL and the fuzzers are built. EXECUTIONS=1000000 make fuzz goes deeper. `make test` reads the corpora.
fuzz:
	fuzz/run

# kube-apiserver, etcd, kubectl and kube-controller-manager, for the tests: built once, in minutes, into
# the user's cache. KUBEBUILDER_ASSETS names a folder that has them already.
control-plane:
	hack/control-plane/build

# Helm, actionlint, and small programs around the libraries of Flux, Argo CD and Prometheus, for the tests of manifests/:
# built once, in a minute or two, into the user's cache.
tools:
	hack/tools/build

# prism, the platform's own CLI, for the tests of the fake platform: installed once, in seconds, into the user's
# cache. STABLEKEY_PRISM names a folder that has it already.
prism:
	hack/prism/build

# The YAML language server of editors, for the tests of the schema: installed once, in seconds, into the user's cache.
# STABLEKEY_LANGUAGE_SERVER names a folder that has it already.
language-server:
	hack/language-server/build

# GitHub's description of its API, and clients of GitHub and GitLab, for the tests of the fakes of both: installed once,
# in seconds, into the user's cache. STABLEKEY_FORGES names a folder that has them already.
forges:
	hack/forges/build

# What drives Chromium, for the tests of the page: installed once, in seconds, into the user's cache. Chromium and the fonts
# must be there. STABLEKEY_CHROMIUM names Chromium, STABLEKEY_BROWSER a folder that has the rest already.
browser:
	hack/browser/build

# Earlier versions of Stablekey from the history of this repository, for the tests of upgrades: built once, in two minutes,
# into the user's cache.
earlier:
	hack/earlier/build

# crane, cosign and the program that writes the image, for a release and the tests of one: built once, in minutes, into
# the user's cache.
release-tools:
	hack/release-tools/build

# The image for Linux on this processor, with the binary of a release, without a daemon: an OCI layout in
# target/image/layout, and the same as one file in target/image/image.tar.
image:
	binary=$$(hack/release/binary) && \
	hack/release/image target/image "$$(hack/release/architecture "$$(uname -m)-unknown-linux-musl")=$$binary"

# Whether two builds of a release, in two folders, are the same byte for byte: two optimized builds.
reproducible:
	hack/release/reproducible

# Every step of a release that needs nothing outside, into target/release-dry-run; the binary is run in an empty root.
# DEBUG=1 takes the debug build, which the tests run.
release-dry-run:
	hack/release/dry-run $(if $(DEBUG),--debug) target/release-dry-run

# Licences, sources and banned crates, by deny.toml.
deny:
	hack/release/deny

# Two clusters with examples/us-eu in them, until Ctrl-C. No Docker.
clusters: control-plane
	cargo build --quiet
	cargo run --quiet --package stablekey-clusters -- us-eu

# The main job on a copy of examples/us-eu: plan, apply, and what it changed.
demo:
	cargo build --quiet
	target=$$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'); \
	PATH="$$target/debug:$$PATH" examples/demo.sh target/demo

# What is generated from src/api, and the copies for those who install it: Kustomize and Helm read nothing
# that is not in their folder.
CHART = manifests/helm/stablekey/files
RULES = manifests/monitoring/prometheus-rule.yaml
crds:
	cargo run --quiet -- crds --dir crds
	cargo run --quiet -- crds --reference > docs/reference.md
	cargo run --quiet -- crds --checks > docs/checks.md
	cp crds/*.yaml manifests/crds/
	cp crds/*.yaml $(CHART)/crds/
	cp $(filter-out %/kustomization.yaml,$(wildcard manifests/policies/*.yaml)) $(CHART)/policies/
	cp $(filter-out %/kustomization.yaml,$(wildcard manifests/rbac/*.yaml)) $(CHART)/rbac/
	cp manifests/alerts/stablekey.yaml $(CHART)/alerts/
	cp manifests/token-renewal/hub/renew.sh $(CHART)/token-renewal/
	{ sed '/^spec:$$/q' $(RULES); sed -e '/^#/d' -e 's/^/  /' manifests/alerts/stablekey.yaml; } > $(RULES).new
	mv $(RULES).new $(RULES)

# Measures, prints ratios and writes docs/benchmarks.md. `make bench ONLY=engine` (or files, writes,
# hostile, clusters, caches, operator, hub, git, platform, page) measures one group and writes its part.
bench: control-plane
	cargo build --release
	cargo run --release --package stablekey-bench -- $(ONLY)
