use render_signal_actors::mail::{Mail, parse};

use super::text_of;

#[test]
fn a_mails_texts_are_a_file_whose_head_nobody_can_add_lines_to() {
    let raw = b"From: a@b.fr\r\nSubject: x\r\nDate: Mon, 19 Oct 2026 09:12:41 +0200\r\n\r\nx\r\n";
    let mail = Mail {
        from: "a@b.fr\r\nX: y".to_owned(),
        subject: "Lot\n42".to_owned(),
        date: "Mon".to_owned(),
        plain: "Bonjour".to_owned(),
        html: "<p>Bonjour</p>".to_owned(),
        ..parse::parse(raw).unwrap()
    };
    let text = "From: a@b.fr  X: y\nSubject: Lot 42\nDate: Mon\n\nBonjour\n\n<p>Bonjour</p>\n";
    assert_eq!(text_of(&mail), text);
}
