//! `format=flowed` (RFC 3676): the paragraphs of a text whose lines were broken for transport.

/// The text with its paragraphs in one line each. `delsp`: the blank before each break was
/// added with it, and goes with it (RFC 3676 section 4.2).
pub(super) fn unwrap(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // The depth of quotation of the paragraph that goes on.
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let (line, end) = split_end(line);
        let quoted = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = line.get(quoted..).unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature = content == "-- ";
        if open != Some(quoted) || is_signature {
            if open.is_some() {
                out.push('\n');
            }
            if quoted > 0 {
                out.extend(std::iter::repeat_n('>', quoted));
                out.push(' ');
            }
        }
        // The last line flows into nothing.
        open = (content.ends_with(' ') && !is_signature && !end.is_empty()).then_some(quoted);
        match open {
            Some(_) if delsp => out.push_str(content.strip_suffix(' ').unwrap_or(content)),
            Some(_) => out.push_str(content),
            None => {
                out.push_str(content);
                out.push_str(end);
            }
        }
    }
    out
}

fn split_end(line: &str) -> (&str, &str) {
    let content = line.strip_suffix('\n').unwrap_or(line);
    let content = content.strip_suffix('\r').unwrap_or(content);
    line.split_at_checked(content.len()).unwrap_or((line, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paragraphs_are_put_together() {
        for (text, delsp, expected) in [
            ("un \r\ndeux\r\ntrois\r\n", false, "un deux\r\ntrois\r\n"),
            ("https://fromsmash.com/Ab \nC12\nfin", true, "https://fromsmash.com/AbC12\nfin"),
            ("un  \ndeux\n", true, "un deux\n"),
            (
                "lien \nhttps://fromsmash.com/a \npour le lot\n",
                false,
                "lien https://fromsmash.com/a pour le lot\n",
            ),
            ("> un \n> deux\n>> trois \n> quatre\n", false, "> un deux\n>> trois \n> quatre\n"),
            (" From ici\n  deux\n", false, "From ici\n deux\n"),
            ("fin \n-- \nCamille\n", false, "fin \n-- \nCamille\n"),
            ("x \n\ny", false, "x \ny"),
            ("x ", true, "x "),
            ("", false, ""),
        ] {
            assert_eq!(unwrap(text, delsp), expected, "{text:?}");
        }
    }

    /// As RFC 3676 section 4.2 has it made: lines broken at blanks (or, with `DelSp`, anywhere),
    /// a blank at the end of each that goes on, lines stuffed that could be misread.
    fn flow(paragraph: &str, width: usize, delsp: bool) -> String {
        let mut lines: Vec<String> = Vec::new();
        if delsp {
            let letters: Vec<char> = paragraph.chars().collect();
            lines.extend(letters.chunks(width).map(|chunk| format!("{} ", chunk.iter().collect::<String>())));
        } else {
            for word in paragraph.split_inclusive(' ') {
                match lines.last_mut() {
                    Some(line) if line.len() + word.len() <= width => line.push_str(word),
                    _ => lines.push(word.to_owned()),
                }
            }
        }
        if let (Some(last), true) = (lines.last_mut(), delsp) {
            last.pop();
        }
        let stuffed =
            |line: &String| if line.starts_with([' ', '>']) { format!(" {line}") } else { line.clone() };
        lines.iter().map(stuffed).collect::<Vec<_>>().join("\r\n")
    }

    proptest! {
        #[test]
        fn what_was_flowed_comes_back(
            paragraphs in prop::collection::vec("[a-zé/:.?=&>]{1,12}( [a-zé/:.?=&]{1,12}){0,9}", 1..5),
            width in 4_usize..40,
            delsp in any::<bool>(),
        ) {
            let flowed: Vec<String> = paragraphs.iter().map(|paragraph| flow(paragraph, width, delsp)).collect();
            prop_assert_eq!(unwrap(&flowed.join("\r\n"), delsp), paragraphs.join("\r\n"));
        }
    }
}
