# `just` alone lists the recipes. None of them is needed: ./run-tests and cargo do it all.

_list:
    @just --list

# Format, licences, clippy and every test: what must pass before a push
check:
    ./.ci/run

# Every test, installing what is missing; `just test lease` runs some
test *filter:
    ./run-tests {{filter}}

# Builds the image and runs it, without a Docker engine (as root); `just image --binary FILE` leaves out the compiling
image *arguments:
    deployment/image/test {{arguments}}

# The whole job on sample mails
demo *arguments:
    cargo run --release -- demo {{arguments}}

# Mails per second, CPU per mail, latency, memory, start-up, and the raw limits beside them
bench *arguments:
    cargo bench --bench throughput -- {{arguments}}

# How fast a file goes into R2, beside a bare copy to the same server
bench-offload:
    cargo bench -p render-signal-actors --bench offload

# Milliseconds per hostile mail of 1 MiB, worst first
bench-mail *arguments:
    cargo bench -p render-signal-actors --bench mail -- {{arguments}}

# Feeds mutated mails to all that is done with a mail, for a minute; `just fuzz 600`
fuzz *arguments:
    ./fuzz/run {{arguments}}

# Decisions per second, beside a bare parse of the same mails
bench-decisions:
    cargo bench -p render-signal-actors --bench decisions

# Replays one seed of the simulation, or all of them
sim seed="":
    {{ if seed == "" { "" } else { "SEED=" + seed } }} cargo test -p render-signal-actors --test simulation -- --nocapture

# Writes docs/EVENTS.md anew from the registry of events
events:
    UPDATE_EVENTS=1 cargo test -p render-signal-actors registry

# Licences and bans, and (with network) known advisories
deny:
    cargo deny check

# The container
image:
    docker build -t render-signal .
