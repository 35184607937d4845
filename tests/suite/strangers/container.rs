//! How the container's entrypoint gives away the disk and its privileges. It does so as root; for
//! anybody else it has nothing to give, and that is tested then.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const SIGNAL: u32 = 10_001;
/// Where the program is in the image.
const IN_THE_IMAGE: &str = "/usr/local/libexec/render-signal";

/// A folder with a program in place of ours, which says what it may do.
struct Container(TempDir);

impl Container {
    fn new() -> Self {
        let container = Self(tempfile::Builder::new().prefix("rs-box-").tempdir().expect("a folder"));
        open_to_all(container.0.path());
        fs::create_dir(container.at("bin")).expect("a folder");
        open_to_all(&container.at("bin"));
        let program = container.at("bin/render-signal");
        fs::write(&program, "#!/bin/sh\necho \"said: $*\"\ncat /proc/self/status\n").expect("a program");
        open_to_all(&program);
        // The script of the image, but for the place of the program.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deployment/entrypoint.sh");
        let script = fs::read_to_string(script).expect("the script");
        assert_eq!(script.matches(IN_THE_IMAGE).count(), 1);
        let ours = script.replace(IN_THE_IMAGE, &program.display().to_string());
        fs::write(container.at("entrypoint.sh"), ours).expect("a script");
        container
    }

    fn at(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn start(&self, data: &str, config: &str) -> Output {
        Command::new("sh")
            .arg(self.at("entrypoint.sh"))
            .args(["serve", "--now"])
            .current_dir("/")
            .env("DATA_DIR", self.at(data))
            .env("CONFIG_DIR", self.at(config))
            .output()
            .expect("a shell")
    }
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("a file").uid()
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn the_program_runs_as_an_ordinary_user_without_a_privilege_to_gain() {
    let container = Container::new();
    let output = container.start("data", "config");
    let text = said(&output);
    assert!(output.status.success() && text.contains("said: serve --now"), "{text}");
    let status = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let user = SIGNAL.to_string();
    assert!(status("Uid:").iter().chain(&status("Gid:")).all(|id| *id == user), "{text}");
    assert!(status("Groups:").is_empty(), "{text}");
    assert_eq!(status("NoNewPrivs:"), ["1"], "{text}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(status(set), ["0000000000000000"], "{set} {text}");
    }
    for folder in ["data", "config"] {
        assert_eq!(owner(&container.at(folder)), SIGNAL, "{folder}");
    }
}

#[test]
fn only_what_is_ours_is_given_away() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let container = Container::new();
    let at = |below: &str| container.at(below);
    for folder in ["disk/lost+found", "disk/debug", "disk/archive/deep", "elsewhere"] {
        fs::create_dir_all(at(folder)).expect("a folder");
    }
    for file in [
        "disk/lost+found/#12",
        "disk/journal.db",
        "disk/archive/deep/a",
        "elsewhere/theirs",
        "elsewhere/other",
    ] {
        fs::write(at(file), "content").expect("a file");
    }
    // What an intruder who has become our user may leave behind for the next start.
    symlink(at("elsewhere/theirs"), at("disk/link")).expect("a link");
    symlink(at("elsewhere"), at("disk/folder-link")).expect("a link");
    fs::hard_link(at("elsewhere/other"), at("disk/second-name")).expect("a second name");
    fs::remove_dir(at("disk/debug")).expect("removed");
    symlink(at("elsewhere"), at("disk/debug")).expect("a link");
    lchown(at("disk/debug"), Some(SIGNAL), Some(SIGNAL)).expect("an owner");
    // The operator's own link to the disk.
    symlink(at("disk"), at("data")).expect("a link");

    let output = container.start("data", "data/debug");
    assert!(output.status.success(), "{}", said(&output));
    for given in ["disk", "disk/journal.db", "disk/archive/deep", "disk/archive/deep/a", "disk/link"] {
        assert_eq!(owner(&at(given)), SIGNAL, "{given}");
    }
    for kept in
        ["disk/lost+found", "disk/lost+found/#12", "elsewhere", "elsewhere/theirs", "elsewhere/other", "data"]
    {
        assert_eq!(owner(&at(kept)), 0, "{kept}");
    }
}
