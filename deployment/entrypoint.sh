#!/bin/sh
# What `render-signal` is in the container: it becomes an ordinary user and runs the program, whoever owns
# the mounted disk and whoever calls. A platform that mounts the disk as root (Render does) would otherwise
# leave the journal unwritable, and a command in its shell, which is root's, would leave files that the
# service cannot open.
set -eu
program=/usr/local/libexec/render-signal
user=10001

# Gives a folder and what is in it to that user. The folder itself may be a symbolic link. Nothing
# inside is followed, no other file system is entered, and what is not ours alone is left as it
# is: lost+found, and a file with a second name, which may be somebody else's. What cannot be
# given is said, and stops nothing: the program says what it cannot use.
give() {
    find "$1/." -xdev \
        -type d -name lost+found -prune \
        -o ! -type d -links +1 \
        -o ! \( -user "$user" -group "$user" \) -exec chown -h "$user:$user" {} + \
        || echo "entrypoint: something in $1 could not be given to user $user" >&2
}

# Whether root has this capability here: its bit in capabilities(7).
may() {
    effective=$(sed -n 's/^CapEff:[[:space:]]*/0x/p' /proc/self/status)
    [ $((effective >> $1 & 1)) = 1 ]
}

[ "$(id -u)" = 0 ] || exec "$program" "$@"

mkdir -p "$DATA_DIR"
give "$DATA_DIR"
# A folder inside the first one was given with it, or is made by the program: here, a link
# in its place would lead root to where that user wants.
case "$CONFIG_DIR/" in
"$DATA_DIR"/*) ;;
*)
    mkdir -p "$CONFIG_DIR"
    give "$CONFIG_DIR"
    ;;
esac
if ! may 6 || ! may 7; then # SETGID, SETUID
    echo "entrypoint: root may not become user $user here: add the capabilities CHOWN, SETGID and SETUID," \
        "or start the container as $user:$user on a disk of that user" >&2
    exit 1
fi
# Nothing can be gained back, with or without the right to narrow the bounding set.
bounding=
! may 8 || bounding=--bounding-set=-all # SETPCAP
# shellcheck disable=SC2086 # one word or none
exec setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \
    --inh-caps=-all --ambient-caps=-all $bounding "$program" "$@"
