use std::os::unix::fs::{lchown, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

/// Another user's link, where the test may make one (as root); without that there is nothing
/// to tell apart.
fn of_another_user(link: &Path) -> bool {
    Uid::effective().is_root() && lchown(link, Some(4_711), Some(4_711)).is_ok()
}

#[test]
fn what_root_makes_beside_a_file_belongs_to_whoever_owns_that() {
    let dir = tempfile::tempdir().unwrap();
    let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
    fs::write(&theirs, "").unwrap();
    let lock = open_lock(&ours).unwrap();
    let of_another = of_another_user(&theirs);
    give_to_owner_of(&theirs, &lock).unwrap();
    let owner = |path: &Path| fs::metadata(path).map(|found| (found.uid(), found.gid())).unwrap();
    assert_eq!(owner(&ours), owner(&theirs), "{of_another}");
    assert!(give_to_owner_of(&dir.path().join("nothing"), &lock).is_err() || !of_another);
}

#[test]
fn a_replaced_file_has_the_mode_that_was_asked_for_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    for (content, wanted) in [("one", PRIVATE), ("two", 0o644), ("three", 0o660)] {
        replace(&path, content.as_bytes(), wanted).unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), (content, wanted));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(replace(&dir.path().join("none/a.json"), b"", PRIVATE).is_err());
}

#[test]
fn a_folder_that_is_made_lets_in_who_may_read_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for (file, folder) in [(PRIVATE, 0o700), (0o640, 0o750), (0o644, 0o755), (0o660, 0o770)] {
        let path = dir.path().join(format!("{file:o}/deeper"));
        make_folder(&path, file).unwrap();
        make_folder(&path, PRIVATE).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (folder, folder), "{file:o}");
    }
}

#[test]
fn a_link_of_ours_is_followed_and_replaced_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (link, real) = (dir.path().join("link"), dir.path().join("real"));
    symlink("real", &link).unwrap();
    replace(&link, b"one", PRIVATE).unwrap();
    replace(&link, b"two", PRIVATE).unwrap();
    assert!(link.is_symlink() && !real.is_symlink());
    assert_eq!(fs::read(&real).unwrap(), b"two");
    symlink("round", dir.path().join("round")).unwrap();
    assert!(resolve(&dir.path().join("round")).is_err());
}

#[test]
fn a_link_of_another_user_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (link, real) = (dir.path().join("link"), dir.path().join("real"));
    fs::write(&real, "theirs").unwrap();
    symlink(&real, &link).unwrap();
    if !of_another_user(&link) {
        return;
    }
    let why = replace(&link, b"ours", PRIVATE).unwrap_err().to_string();
    assert!(why.contains("link is a symbolic link of another user (id 4711)"), "{why}");
    assert_eq!(fs::read(&real).unwrap(), b"theirs");
}

#[test]
fn a_lock_is_a_plain_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let precious = dir.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let at = |name: &str| dir.path().join(name);
    open_lock(&at("lock")).unwrap();
    assert_eq!(mode(&at("lock")), PRIVATE);
    symlink(&precious, at("link")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    fs::hard_link(&precious, at("second")).unwrap();
    nix::unistd::mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
    fs::create_dir(at("folder")).unwrap();
    for name in ["link", "dangling", "second", "pipe", "folder"] {
        assert!(open_lock(&at(name)).is_err(), "{name}");
    }
    for name in ["link", "dangling", "pipe", "folder"] {
        assert!(read_plain(&at(name), 10).is_err(), "{name}");
    }
    assert!(!at("nothing").exists());
    assert_eq!(read_plain(&precious, 4).unwrap(), b"prec");
    for name in ["link", "dangling", "second", "pipe", "folder"] {
        assert_eq!(create_new(&at(name), PRIVATE).unwrap_err().kind(), ErrorKind::AlreadyExists, "{name}");
    }
}

#[test]
fn what_others_may_read_is_made_private_and_links_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (name, was) in
        [("open", 0o644), ("group", 0o660), ("private", 0o600), ("read", 0o444), ("outside", 0o644)]
    {
        fs::write(at(name), "").unwrap();
        fs::set_permissions(at(name), Permissions::from_mode(was)).unwrap();
    }
    symlink(at("outside"), at("link")).unwrap();
    let names = ["open", "group", "private", "read", "link", "missing", "."];
    let (changed, failed) = make_private(names.map(at));
    assert_eq!(changed, ["open", "group", "read"].map(at));
    assert_eq!(failed, []);
    let modes = ["open", "group", "private", "read", "outside"].map(|name| mode(&at(name)));
    assert_eq!(modes, [0o600, 0o600, 0o600, 0o400, 0o644]);
}
