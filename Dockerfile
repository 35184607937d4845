# Two stages: a toolchain that compiles, and a small image with one binary in it. deployment/image/test
# builds and runs it.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# The dependencies first, with empty sources: they change seldom, and are cached as a layer. Cargo wants
# to see every target that the manifests name.
COPY Cargo.toml Cargo.lock ./
COPY actors/Cargo.toml actors/
COPY testkit/Cargo.toml testkit/
RUN targets=$(sed -n 's/^path = "\(.*\.rs\)"/\1/p' Cargo.toml; sed -n 's/^path = "\(.*\.rs\)"/actors\/\1/p' actors/Cargo.toml) \
 && for target in src/main.rs $targets; do mkdir -p "${target%/*}" && echo 'fn main() {}' > "$target" || exit; done \
 && mkdir -p actors/src testkit/src && touch actors/src/lib.rs testkit/src/lib.rs \
 && cargo build --profile dist --locked --bin render-signal \
 && rm -rf src actors/src
# What the program is made of, and nothing else: an edit of the README compiles nothing.
COPY askama.toml ./
COPY docs/errors.md docs/
COPY static static
COPY actors/src actors/src
COPY src src
# The empty sources are newer than the real ones; make cargo look again.
RUN touch src/main.rs actors/src/lib.rs \
 && cargo build --profile dist --locked --bin render-signal

FROM debian:bookworm-slim
# No package is added: certificates of authorities, zones, languages and the health check are inside the
# binary.
RUN groupadd --gid 10001 signal \
 && useradd --uid 10001 --gid signal --no-log-init --no-create-home --home-dir /var/data --shell /usr/sbin/nologin signal \
 && install -d -o signal -g signal -m 700 /var/data
COPY --from=build /src/target/dist/render-signal /usr/local/libexec/render-signal
# Whoever calls `render-signal` here gets this script, which gives up root's rights first.
COPY --chmod=755 deployment/entrypoint.sh /usr/local/bin/render-signal
WORKDIR /var/data
# Everything that is written: mount a disk here. The root file system may be read-only.
ENV DATA_DIR=/var/data \
    CONFIG_DIR=/var/data/debug \
    WEBHOOK_LINKS_FILE=/var/data/webhook_links.json \
    BG_POLLER_LOCK_FILE=/var/data/poller.lock \
    PORT=8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 \
    CMD ["/usr/local/libexec/render-signal", "health"]
ENTRYPOINT ["render-signal"]
CMD ["serve"]
