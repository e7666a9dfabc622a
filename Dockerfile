# The operator's image: one static binary, no shell, no packages.
FROM rust:1-slim AS build
RUN rustup target add x86_64-unknown-linux-musl && apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make ca-certificates
ENV CC_x86_64_unknown_linux_musl=gcc
WORKDIR /stablekey
COPY . .
RUN cargo build --release --locked --target x86_64-unknown-linux-musl

FROM scratch
# For API servers whose kubeconfig names no authority.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /stablekey/target/x86_64-unknown-linux-musl/release/stablekey /stablekey
# A number: Kubernetes must see that it is not root.
USER 65532:65532
ENTRYPOINT ["/stablekey"]
