#!/bin/sh
# Starts the program as an ordinary user, whoever owns the mounted disk: a platform that
# mounts it as root (Render does) would otherwise leave the journal unwritable.
set -eu
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

if [ "$(id -u)" = 0 ]; then
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
    exec setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \
        --inh-caps=-all --ambient-caps=-all --bounding-set=-all render-signal "$@"
fi
exec render-signal "$@"
