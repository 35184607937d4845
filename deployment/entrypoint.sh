#!/bin/sh
# Starts the program as an ordinary user, whoever owns the mounted disk: a platform that
# mounts it as root (Render does) would otherwise leave the journal unwritable.
set -eu
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$DATA_DIR" "$CONFIG_DIR"
    chown -R signal:signal "$DATA_DIR" "$CONFIG_DIR"
    exec setpriv --reuid=signal --regid=signal --init-groups --inh-caps=-all render-signal "$@"
fi
exec render-signal "$@"
