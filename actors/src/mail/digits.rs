//! Decimal digits of scripts that occur in mails, as the reference accepts them.

/// `text` with its decimal digits made ASCII; `None` when it has digits of another script
/// than the ones known here.
pub(super) fn to_ascii(text: &str) -> Option<String> {
    text.chars()
        .map(|letter| match digit(letter) {
            Some(value) => char::from_digit(value, 10),
            None if letter.is_numeric() => None,
            None => Some(letter),
        })
        .collect()
}

/// The value of a decimal digit: ASCII, Arabic-Indic, Devanagari, Bengali, Thai, full-width.
fn digit(letter: char) -> Option<u32> {
    const ZEROS: [char; 7] = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}', '\u{ff10}'];
    ZEROS.iter().find_map(|zero| u32::from(letter).checked_sub(u32::from(*zero)).filter(|value| *value < 10))
}
