"""Makes of a built image what `runc` can start: an OCI bundle, as strict as a platform may be."""

import json
import pathlib

# What Docker leaves to root in a container, and the three that the entrypoint cannot do without.
USUAL = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_NET_BIND_SERVICE "
    "CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT"
).split()
FEW = ["CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"]


def mount(kind, where, *options, source=None):
    return {"destination": where, "type": kind, "source": source or kind, "options": list(options)}


def bind(source, where, *options):
    return mount("none", where, "rbind", *options, source=str(source))


class Bundle:
    """One container of an image: its folder with `config.json`, and where its root file system is."""

    def __init__(self, folder, rootfs, image):
        self.folder, self.rootfs = pathlib.Path(folder), rootfs
        self.image = image
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self):
        return (self.image.get("Entrypoint") or []) + (self.image.get("Cmd") or [])

    def environment(self, variables):
        of_image = dict(line.split("=", 1) for line in self.image.get("Env") or [])
        return [f"{name}={value}" for name, value in {**of_image, **variables}.items()]

    def write(self, variables, disk=None, read_only=True, memory=None, capabilities=None, hidden=(), user=0, arguments=None):
        """`config.json` for one start; `memory` is in bytes, `hidden` names folders that are to be empty."""
        capabilities = USUAL if capabilities is None else capabilities
        mounts = [
            mount("proc", "/proc", "nosuid", "noexec", "nodev"),
            mount("tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
            bind("/etc/resolv.conf", "/etc/resolv.conf", "ro"),
            bind("/etc/hosts", "/etc/hosts", "ro"),
        ]
        mounts += [mount("tmpfs", where, "ro", "size=4k") for where in hidden]
        if disk:
            mounts.append(bind(disk, "/var/data", "rw", "nosuid", "nodev"))
        command = self.command() if arguments is None else (self.image.get("Entrypoint") or []) + arguments
        config = {
            "ociVersion": "1.0.2",
            "hostname": "render-signal",
            "root": {"path": str(self.rootfs), "readonly": read_only},
            "process": {
                "terminal": False,
                "user": {"uid": user, "gid": user},
                "args": command,
                "env": self.environment(variables),
                "cwd": self.image.get("WorkingDir") or "/",
                "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")},
                "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 4096}],
            },
            "mounts": mounts,
            # The network is the machine's: the receiver of the webhooks listens on its loopback.
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
        }
        if memory:
            # No swap: what does not fit ends the process.
            config["linux"]["resources"] = {"memory": {"limit": memory, "swap": memory}}
        (self.folder / "config.json").write_text(json.dumps(config))
