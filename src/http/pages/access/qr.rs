//! A text as a QR code (ISO/IEC 18004): an SVG that is part of the page, drawn with classes.

use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;
use qrcode::{Color, EcLevel, QrCode};

/// Light modules around a code, which readers need (ISO/IEC 18004 section 5.3.8).
const QUIET_ZONE: usize = 4;

/// A code.
#[derive(Debug, Template)]
#[template(
    source = "<svg class=\"qr\" role=\"img\" aria-label=\"{{ label }}\" viewBox=\"0 0 {{ side }} {{ side }}\" shape-rendering=\"crispEdges\"><rect class=\"qr-light\" width=\"{{ side }}\" height=\"{{ side }}\"/><path class=\"qr-dark\" d=\"{{ path }}\"/></svg>",
    ext = "html"
)]
pub(super) struct Qr {
    label: &'static str,
    side: usize,
    path: String,
}

impl HtmlSafe for Qr {}

impl Qr {
    /// Of a text; `None` = it is longer than a code can be.
    pub(super) fn of(text: &str, label: &'static str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (y, row) in code.to_colors().chunks(width).enumerate() {
            let mut x = 0;
            // Neighbours that are dark are one bar.
            for bar in row.chunk_by(|one, other| one == other) {
                if bar.first() == Some(&Color::Dark) {
                    // Writing into a text does not fail.
                    let _ = write!(
                        path,
                        "M{} {}h{}v1h-{}z",
                        x + QUIET_ZONE,
                        y + QUIET_ZONE,
                        bar.len(),
                        bar.len()
                    );
                }
                x += bar.len();
            }
        }
        Some(Self { label, side: width + 2 * QUIET_ZONE, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader reads that is shown the SVG, each module some pixels wide.
    fn read(svg: &str) -> String {
        const SCALE: usize = 4;
        let after = |mark: &str| svg.split(mark).nth(1).unwrap().split('"').next().unwrap().to_owned();
        let side: usize = after("viewBox=\"0 0 ").split(' ').next().unwrap().parse().unwrap();
        let mut dark = vec![false; side * side];
        for bar in after(" d=\"").split('M').skip(1) {
            let numbers: Vec<usize> =
                bar.split(|sign: char| !sign.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            let (x, y, length) = (numbers[0], numbers[1], numbers[2]);
            dark[y * side + x..][..length].fill(true);
        }
        let light = |x, y| if dark[y / SCALE * side + x / SCALE] { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * SCALE, side * SCALE, light);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_reader_reads_what_was_written() {
        for text in ["https://signal.example.fr/login/magic/abc.def-ghi_jkl", &"x".repeat(600)] {
            let svg = Qr::of(text, "label").unwrap().to_string();
            assert_eq!(read(&svg), *text);
            assert!(!svg.contains("style="), "{svg}");
        }
        assert!(Qr::of(&"x".repeat(5_000), "label").is_none());
    }
}
