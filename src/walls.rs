//! The walls between the rooms: what each may know stands in the map of `ARCHITECTURE.md`, and the
//! sources keep to it. A wall that is crossed fails with the file, the line and what is allowed. What
//! else the map names is where it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The crates, and the folder of each.
const CRATES: [(&str, &str); 2] = [("actors", "actors/src"), ("program", "src")];
/// Macros stand at the root of their crate wherever they are defined.
const MACROS: [(&str, &str); 1] = [("domain_events", "kernel")];

/// A row of the map.
#[derive(Debug)]
struct Room {
    /// The crate that it belongs to.
    krate: &'static str,
    /// Its places in the crate, as paths of modules; empty = all that no other row names.
    places: Vec<String>,
    /// What it may know besides itself, as paths of modules; `None` = everything.
    knows: Option<BTreeSet<String>>,
}

/// `a/{b,c}` = `a/b` and `a/c`.
fn alternatives(text: &str) -> Vec<String> {
    match text.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        None => vec![text.to_owned()],
        Some((head, (inner, tail))) => {
            inner.split(',').flat_map(|part| alternatives(&format!("{head}{}{tail}", part.trim()))).collect()
        }
    }
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).flat_map(alternatives)
}

/// The rows of the map that name sources of the two crates.
fn rooms(map: &str) -> Vec<Room> {
    let table = map.lines().skip_while(|line| !line.starts_with("| where | what | may | knows |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let mut rooms = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [place, _, _, knows] = cells.as_slice() else { panic!("four cells: {row}") };
        let knows = (*knows != "everything").then(|| quoted(knows).collect());
        for (krate, folder) in CRATES {
            let places: Vec<String> = quoted(place)
                .filter_map(|place| Some(place.strip_prefix(folder)?.strip_prefix('/')?.to_owned()))
                .map(|place| place.trim_end_matches(".rs").trim_end_matches('/').replace('/', "::"))
                .collect();
            if !places.is_empty() {
                rooms.push(Room { krate, places, knows: knows.clone() });
            }
        }
    }
    rooms
}

/// Whether the module `path` is `room` or lies in it.
fn within(path: &str, room: &str) -> bool {
    room.is_empty() || path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The row and the place of it that a module belongs to: the longest that it lies in.
fn home<'r>(rooms: &'r [Room], krate: &str, module: &str) -> Option<(&'r Room, &'r str)> {
    let of_crate = rooms.iter().filter(|room| room.krate == krate);
    let places = of_crate.flat_map(|room| room.places.iter().map(move |place| (room, place.as_str())));
    places.filter(|(_, place)| within(module, place)).max_by_key(|(_, place)| place.len())
}

/// The code of a source: no comments, and not its tests, whose lines stay blank.
fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut test = false;
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        test |= line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod tests {"));
        if !test && !line.trim_start().starts_with("//") {
            code.push_str(line);
        }
        code.push('\n');
        test &= line != "}";
    }
    code
}

/// Modules that only tests have: `#[cfg(test)]` before a `mod name;`.
fn only_for_tests(source: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            let item = lines.by_ref().find(|line| !line.starts_with("#[")).unwrap_or_default();
            names.extend(
                item.strip_suffix(';').and_then(|item| item.rsplit_once("mod ")).map(|(_, name)| name),
            );
        }
    }
    names
}

/// The sources below `folder` with the path of the module of each, without those of tests.
fn sources(folder: &Path, module: &str, found: &mut Vec<(PathBuf, String)>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let own = ["mod.rs", "lib.rs", "main.rs"].map(|name| folder.join(name));
    let beside = folder.with_extension("rs");
    let texts = own.iter().chain([&beside]).filter(|path| path.is_file());
    let texts: Vec<String> = texts.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let tests: BTreeSet<&str> = texts.iter().flat_map(|text| only_for_tests(text)).collect();
    for path in entries {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if tests.contains(name.as_str()) {
            continue;
        }
        let inner = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
        if path.is_dir() {
            sources(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_root = ["mod", "lib", "main"].contains(&name.as_str());
            found.push((path, if is_root { module.to_owned() } else { inner }));
        }
    }
}

/// The paths that begin at `text`, groups in braces taken apart: `a::{b, c::d}` = `a::b`, `a::c::d`.
fn paths(text: &str) -> Vec<String> {
    let end = text.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix("::") else { return vec![word.to_owned()] };
    let Some(group) = rest.strip_prefix('{') else {
        return paths(rest).into_iter().map(|inner| format!("{word}::{inner}")).collect();
    };
    let mut depth = 0_u32;
    let members = group
        .split(|sign| {
            match sign {
                '{' => depth += 1,
                '}' if depth == 0 => return true,
                '}' => depth -= 1,
                _ => {}
            }
            sign == ',' && depth == 0
        })
        .map(str::trim);
    // After the brace that ends the group there is what follows the whole.
    let many = group_length(group);
    members
        .take(many)
        .filter(|member| !member.is_empty())
        .flat_map(paths)
        .map(|inner| if inner == "self" { word.to_owned() } else { format!("{word}::{inner}") })
        .collect()
}

/// How many members a group has that begins behind its brace, an empty one at its end included.
fn group_length(group: &str) -> usize {
    let (mut depth, mut many) = (0_u32, 1);
    for sign in group.chars() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => many += 1,
            _ => {}
        }
    }
    many
}

/// What the code of `module` names of its crate: the line, and the path of what is named.
fn named(code: &str, module: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_' || sign == ':') {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        for path in paths(&code[start..]) {
            let climbs = path.split("::").take_while(|word| *word == "super").count();
            let words = path.split("::").skip(climbs.max(1));
            let above = module.split("::").filter(|word| !word.is_empty());
            let kept = above.clone().count().saturating_sub(climbs);
            let base = above.take(if climbs == 0 { 0 } else { kept });
            found.push((line, base.chain(words).collect::<Vec<_>>().join("::")));
        }
    }
    found
}

/// Every path that leaves its room, as `(file, line, row, path)`; what has no row fails.
struct Crossing<'r> {
    place: String,
    room: &'r Room,
    own: &'r str,
    path: String,
}

fn crossings<'r>(root: &Path, rooms: &'r [Room]) -> Vec<Crossing<'r>> {
    let mut found = Vec::new();
    for (krate, folder) in CRATES {
        let mut files = Vec::new();
        sources(&root.join(folder), "", &mut files);
        assert!(files.len() > 100, "the sources are where they were: {}", files.len());
        let tops: BTreeSet<String> =
            files.iter().filter_map(|(_, module)| Some(module.split("::").next()?.to_owned())).collect();
        for (file, module) in files.iter().filter(|(_, module)| !module.is_empty()) {
            let place = file.strip_prefix(root).unwrap().display().to_string();
            let (room, own) = home(rooms, krate, module)
                .unwrap_or_else(|| panic!("{place}: the map in ARCHITECTURE.md has no row for it"));
            for (line, path) in named(&code(&std::fs::read_to_string(file).unwrap()), module) {
                let path =
                    MACROS.iter().find(|(name, _)| *name == path).map_or(path, |(_, at)| (*at).to_owned());
                let is_module = path.split("::").next().is_some_and(|top| tops.contains(top));
                // A room of the program that has no row of its own is the program itself.
                let is_inside = if own.is_empty() { false } else { within(&path, own) };
                if is_module && !is_inside {
                    found.push(Crossing { place: format!("{place}:{line}"), room, own, path });
                }
            }
        }
    }
    found
}

#[test]
fn a_room_knows_what_the_map_lets_it_know() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rooms = rooms(&std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap());
    assert!(rooms.len() > 20, "the map is where it was: {rooms:#?}");
    let mut wrong = Vec::new();
    let mut needed: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for room in &rooms {
        let places = room.places.first().map_or("", String::as_str);
        needed.extend(room.knows.iter().flatten().map(|other| ((places, other.as_str()), false)));
    }
    for Crossing { place, room, own, path } in crossings(root, &rooms) {
        let Some(knows) = &room.knows else { continue };
        match knows.iter().find(|other| within(&path, other)) {
            Some(other) => {
                needed.insert((room.places.first().map_or("", String::as_str), other), true);
            }
            None => wrong.push(format!("{place}: `{own}` names `{path}`; the map lets it know {knows:?}")),
        }
    }
    assert!(wrong.is_empty(), "walls are crossed:\n{}", wrong.join("\n"));
    let idle: Vec<_> = needed.iter().filter(|(_, needed)| !**needed).map(|(pair, _)| pair).collect();
    assert!(idle.is_empty(), "the map says that a room knows another, and it does not: {idle:?}");
}

/// Every folder and file of the repository that the map may name, as paths from its root.
fn everything(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || path == root.join("target") {
            continue;
        }
        found.insert(path.strip_prefix(root).unwrap().display().to_string());
        if path.is_dir() {
            everything(root, &path, found);
        }
    }
}

#[test]
fn what_the_map_names_is_there() {
    const ENDINGS: [&str; 6] = ["/", ".rs", ".php", ".js", ".lua", ".md"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut there = BTreeSet::new();
    everything(root, root, &mut there);
    let is_place = |name: &str| {
        let plain = name.chars().all(|sign| sign.is_ascii_alphanumeric() || "_-./".contains(sign));
        plain && !name.starts_with('/') && ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    let is_there = |name: &str| {
        let name = name.trim_end_matches('/');
        there
            .iter()
            .any(|path| path.strip_suffix(name).is_some_and(|head| head.is_empty() || head.ends_with('/')))
    };
    let mut named = 0;
    let mut gone = Vec::new();
    for (line, text) in map.lines().enumerate() {
        for name in quoted(text).filter(|name| is_place(name)) {
            named += 1;
            if !is_there(&name) {
                gone.push(format!("ARCHITECTURE.md:{}: {name}", line + 1));
            }
        }
    }
    assert!(named > 150, "the map names places: {named}");
    assert!(gone.is_empty(), "the map names what is not there: {gone:#?}");
}

#[test]
fn paths_are_recognised() {
    let source = "//! crate::comment\nuse crate::{a, b::{self, c}};\nuse super::super::d;\nuse super::e::{\n    F,\n};\n\
                  fn f() { crate::g::h(); other_crate::i(); }\n#[cfg(test)]\nmod tests {\n    use crate::j;\n}\n\
                  fn k() { super::l() }\n";
    let wanted = [(2, "a"), (2, "b"), (2, "b::c"), (7, "g::h"), (3, "d"), (4, "x::e::F"), (12, "x::l")];
    let found = named(&code(source), "x::y");
    assert_eq!(found, wanted.map(|(line, path)| (line, path.to_owned())));
    assert_eq!(
        only_for_tests("#[cfg(test)]\n#[path = \"p\"]\npub(crate) mod a;\nmod b;"),
        BTreeSet::from(["a"])
    );
}

#[test]
fn rows_are_recognised() {
    let map = "| where | what | may | knows |\n|---|---|---|---|\n| `src/` | a | b | everything |\n\
               | `actors/src/{a,b}/`, `actors/src/c.rs` | a | b | `d`, `e::{f,g}` |\n| `tests/` | a | b | – |\n\n| x | y | z | `no` |";
    let rooms = rooms(map);
    assert_eq!(rooms.len(), 2);
    assert_eq!(
        (rooms[0].krate, rooms[0].places.as_slice(), &rooms[0].knows),
        ("program", &[String::new()][..], &None)
    );
    assert_eq!(rooms[1].places, ["a", "b", "c"]);
    assert_eq!(rooms[1].knows, Some(["d", "e::f", "e::g"].map(str::to_owned).into()));
    assert_eq!(home(&rooms, "actors", "b::x").map(|(_, own)| own), Some("b"));
    assert!(home(&rooms, "actors", "bx").is_none());
}
