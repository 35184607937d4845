//! Names of files as others give them: hosts, the Worker, earlier versions. Pure.

use crate::kernel::words::is_hidden;

/// Longest name, in bytes: what file systems take.
pub(super) const MAX_NAME: usize = 255;
/// Longest ending that survives the cut of a name that is too long, in bytes with its dot.
const MAX_ENDING: usize = 16;

/// The name without folders, control characters and what turns the direction of writing;
/// at most 255 bytes long, and no character cut in two (reference W-17). `None` when nothing
/// is left.
#[must_use]
pub fn sanitise(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let name = shorten(clean.trim());
    // Dots alone, or nothing at all, are no name.
    name.contains(|c| c != '.').then_some(name)
}

fn shorten(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let ending = name.rfind('.').and_then(|dot| name.get(dot..)).filter(|ending| ending.len() <= MAX_ENDING);
    let ending = ending.unwrap_or_default();
    let start = name.get(..name.floor_char_boundary(MAX_NAME - ending.len())).unwrap_or_default();
    format!("{}{ending}", start.trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_only_a_name() {
        for (name, want) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a.zip", "a.zip"),
            ("a\r\nX: b.zip", "aX: b.zip"),
            ("annex\u{202e}gpj.exe", "annexgpj.exe"),
            ("annex\u{61c}\u{2066}a\u{9b}.exe", "annexa.exe"),
            ("  a.zip ", "a.zip"),
        ] {
            assert_eq!(sanitise(name).as_deref(), Some(want), "{name:?}");
        }
        for nothing in ["", "..", "a/", "../..", "\u{202e} \u{9b}"] {
            assert_eq!(sanitise(nothing), None, "{nothing:?}");
        }
        let long = sanitise(&format!("{}.zip", "é".repeat(300))).expect("a name");
        assert!(long.len() <= MAX_NAME && long.ends_with(".zip"), "{long}");
    }

    proptest! {
        #[test]
        fn a_clean_name_stays(name in any::<String>()) {
            if let Some(clean) = sanitise(&name) {
                prop_assert!(clean.len() <= MAX_NAME && !clean.contains(['/', '\\']) && !clean.contains(is_hidden));
                prop_assert_eq!(sanitise(&clean), Some(clean));
            }
        }

        #[test]
        fn a_name_is_cut_between_characters(name in "[^\\pC/\\\\.]{1,400}") {
            let clean = sanitise(&name).unwrap_or_default();
            // Line separators are no part of the class above, and hidden.
            let visible: String = name.chars().filter(|c| !is_hidden(*c)).collect();
            prop_assert!(clean.len() > 250 || clean == visible.trim(), "{:?}", clean);
        }
    }
}
