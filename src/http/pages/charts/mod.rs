//! Charts as SVG made on the server: coloured by the page's style, in both themes, with a text in
//! its place for those who do not see it. The numbers are beside it as a table.

mod backend;

use std::fmt;
use std::fmt::Write as _;

use askama::filters::HtmlSafe;
use plotters::coord::Shift;
use plotters::prelude::{ChartBuilder, DrawingArea, IntoDrawingArea as _, PathElement, Rectangle};
use plotters::style::{Color as _, IntoFont as _, TextStyle};

use self::backend::{Classes, Role};
use crate::http::pages::parts::escape;

/// An hour or a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::pages) struct ChartSlot {
    /// What stands below it, where there is room.
    pub(in crate::http::pages) label: String,
    /// What it is, in words, with its numbers.
    pub(in crate::http::pages) said: String,
    /// Where its mails are.
    pub(in crate::http::pages) href: String,
    /// Mails that came in.
    pub(in crate::http::pages) mails: u64,
    /// Webhooks that were taken.
    pub(in crate::http::pages) delivered: u64,
    /// Attempts that failed.
    pub(in crate::http::pages) failed: u64,
}

/// A picture; made here only, so it may be put into a page as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::pages) struct Svg(String);

impl HtmlSafe for Svg {}

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a chart is called and says; for those who do not see it.
#[derive(Debug, Clone)]
pub(in crate::http::pages) struct Caption {
    /// Its name.
    pub(in crate::http::pages) title: String,
    /// Its sums, in a sentence.
    pub(in crate::http::pages) text: String,
}

/// Mails, deliveries and failures of some hours or days. `width` is about that of the place where
/// it is shown, in CSS pixels: texts keep their size. Each bar leads to its mails.
pub(in crate::http::pages) fn activity(slots: &[ChartSlot], width: u32, id: &str, caption: &Caption) -> Svg {
    let size = (width, 190);
    let mut drawn = String::new();
    let places = {
        let area = Classes { text: &mut drawn, size, id }.into_drawing_area();
        // Nothing that is drawn into a text fails.
        draw(&area, slots).unwrap_or_default()
    };
    let (title, text) = (escape(&caption.title), escape(&caption.text));
    let mut svg = format!(
        "<svg class=\"chart\" id=\"{id}\" viewBox=\"0 0 {} {}\" role=\"group\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{text}</desc>\
         <defs><pattern id=\"{id}-hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect width=\"5\" height=\"5\" class=\"c-hatch-ground\"/>\
         <rect width=\"2.5\" height=\"5\" class=\"c-hatch-line\"/></pattern></defs>\
         <g aria-hidden=\"true\">{drawn}</g>",
        size.0, size.1
    );
    for (slot, (left, right)) in slots.iter().zip(places) {
        if slot.mails + slot.delivered + slot.failed > 0 {
            let _ = write!(
                svg,
                "<a href=\"{}\"><title>{said}</title><rect x=\"{left}\" y=\"0\" width=\"{}\" height=\"{}\" class=\"c-hit\" role=\"img\" aria-label=\"{said}\"/></a>",
                escape(&slot.href),
                right - left,
                size.1,
                said = escape(&slot.said),
            );
        }
    }
    svg.push_str("</svg>");
    Svg(svg)
}

type Area<'t> = DrawingArea<Classes<'t>, Shift>;
/// Where each slot is, from left to right.
type SlotPositions = Vec<(i32, i32)>;

fn draw(area: &Area<'_>, slots: &[ChartSlot]) -> Result<SlotPositions, Box<dyn std::error::Error>> {
    let count = i32::try_from(slots.len())?.max(1);
    let highest = slots.iter().map(|slot| slot.mails.max(slot.delivered + slot.failed)).max().unwrap_or(0);
    let top = nice(highest);
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .margin_right(4)
        .x_label_area_size(20)
        .y_label_area_size(36)
        .build_cartesian_2d(0f64..f64::from(count), 0f64..as_float(top))?;
    let plane = chart.plotting_area();
    let at = |x: f64, y: f64| plane.map_coordinate(&(x, y));
    let color = Role::Label.color();
    let label = TextStyle::from(("sans-serif", 12).into_font()).color(&color);
    for step in 0..=2_u64 {
        let value = top * step / 2;
        let (left, y) = at(0.0, as_float(value));
        let (right, _) = at(f64::from(count), 0.0);
        area.draw(&PathElement::new(vec![(left, y), (right, y)], Role::Grid.color()))?;
        let digits = i32::try_from(value.to_string().len()).unwrap_or(0) * 7;
        area.draw_text(&value.to_string(), &label, (left - 6 - digits, y - 4))?;
    }
    let mut places = SlotPositions::new();
    let every = (count * 42 / i32::try_from(area.dim_in_pixel().0)?.max(1)).max(1);
    for (slot, place) in slots.iter().zip(0_i32..) {
        let from = f64::from(place);
        let (left, bottom) = at(from, 0.0);
        let (right, _) = at(from + 1.0, 0.0);
        places.push((left, right));
        let gap = ((right - left) / 5).max(1);
        let (start, end) = (left + gap, (right - gap).max(left + gap + 1));
        let (_, mails) = at(from, as_float(slot.mails));
        let (_, delivered) = at(from, as_float(slot.delivered));
        let (_, failed) = at(from, as_float(slot.delivered + slot.failed));
        let bar =
            |top, bottom, role: Role| Rectangle::new([(start, top), (end, bottom)], role.color().filled());
        if slot.delivered > 0 {
            area.draw(&bar(delivered, bottom, Role::Delivered))?;
        }
        if slot.failed > 0 {
            area.draw(&bar(failed.min(delivered - 3), delivered, Role::Failed))?;
        }
        if slot.mails > 0 {
            area.draw(&PathElement::new(vec![(start - 1, mails), (end + 1, mails)], Role::Mails.color()))?;
        }
        if place % every == 0 {
            let shift = i32::try_from(slot.label.chars().count()).unwrap_or(0) * 3;
            area.draw_text(&slot.label, &label, (i32::midpoint(left, right) - shift, bottom + 4))?;
        }
    }
    drop(chart.configure_mesh());
    area.present()?;
    Ok(places)
}

#[expect(clippy::cast_precision_loss, reason = "a height of a bar")]
const fn as_float(n: u64) -> f64 {
    n as f64
}

/// A round number that is not below `n`, and can be halved.
fn nice(n: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for step in [2, 4, 6, 10] {
            let top = unit.saturating_mul(step);
            if top >= n || top == u64::MAX {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(mails: u64, delivered: u64, failed: u64) -> ChartSlot {
        let (label, said, href) = ("08".to_owned(), "<b>".to_owned(), "/mails?a=1&b=2".to_owned());
        ChartSlot { label, said, href, mails, delivered, failed }
    }

    fn caption() -> Caption {
        Caption { title: "T <b>".to_owned(), text: "D & D".to_owned() }
    }

    #[test]
    fn a_chart_has_classes_and_no_colours_and_says_what_it_shows() {
        let slots = vec![slot(3, 2, 1), slot(0, 0, 0), slot(1, 1, 0)];
        let svg = activity(&slots, 360, "day", &caption()).to_string();
        for wanted in
            ["role=\"group\"", "<title id=\"day-t\">T &lt;b&gt;", "c-delivered", "c-mails", "url(#day-hatch)"]
        {
            assert!(svg.contains(wanted), "{wanted}: {svg}");
        }
        assert_eq!(svg.matches("<a href=").count(), 2, "a slot without anything leads nowhere");
        assert!(svg.contains("/mails?a=1&amp;b=2"), "{svg}");
        for forbidden in ["style=", "<b>", "#0", "rgb", "NaN", "inf"] {
            assert!(!svg.contains(forbidden), "{forbidden}: {svg}");
        }
    }

    #[test]
    fn nothing_and_very_much_are_charts_too() {
        for slots in [vec![], vec![slot(0, 0, 0)], vec![slot(u64::MAX / 4, u64::MAX / 4, 1)]] {
            let svg = activity(&slots, 720, "x", &caption()).to_string();
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{svg}");
        }
        assert_eq!([0, 1, 3, 5, 7, 11, 99, 101].map(nice), [2, 2, 4, 6, 10, 20, 100, 200]);
    }
}
