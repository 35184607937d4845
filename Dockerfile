# syntax=docker/dockerfile:1
# Two stages: a toolchain that compiles, and a small image with one binary in it.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The dependencies first, with empty sources: they change seldom, and are cached as a layer.
COPY Cargo.toml Cargo.lock ./
COPY actors/Cargo.toml actors/
COPY testkit/Cargo.toml testkit/
RUN mkdir -p src actors/src testkit/src benches/throughput tests/suite \
 && echo 'fn main() {}' | tee src/main.rs benches/throughput/main.rs tests/suite/main.rs > /dev/null \
 && touch actors/src/lib.rs testkit/src/lib.rs \
 && cargo build --release --locked --bin render-signal \
 && rm -rf src actors/src
COPY . .
# The empty sources are newer than the real ones; make cargo look again.
RUN touch src/main.rs actors/src/lib.rs \
 && cargo build --release --locked --bin render-signal

FROM debian:bookworm-slim
# curl: the health check. Certificates of authorities and zones are inside the binary.
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 signal \
 && useradd --system --uid 10001 --gid signal --create-home --home-dir /var/data signal
COPY --from=build /src/target/release/render-signal /usr/local/bin/render-signal
COPY --chmod=755 deployment/entrypoint.sh /usr/local/bin/entrypoint
WORKDIR /var/data
# The journal and the configuration documents: mount a disk here.
ENV DATA_DIR=/var/data CONFIG_DIR=/var/data/debug PORT=8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD curl -fsS "http://127.0.0.1:${PORT}/livez" || exit 1
# Gives the disk to the user `signal` (10001) and becomes it, without any privilege; see the script.
ENTRYPOINT ["entrypoint"]
CMD ["serve"]
