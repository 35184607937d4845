//! A drawing back-end that writes SVG with classes: the page's style colours it, in both themes.
//! What is drawn says its role as a colour whose red part is the number of a role.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use crate::http::pages::parts::escape;

/// What something in a chart is for; its class is `c-` and its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A line of the ground.
    Grid,
    /// A text beside an axis.
    Label,
    /// Mails that came in.
    Mails,
    /// Webhooks that were taken.
    Delivered,
    /// Attempts that failed.
    Failed,
}

impl Role {
    const ALL: [Self; 5] = [Self::Grid, Self::Label, Self::Mails, Self::Delivered, Self::Failed];

    const fn word(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Label => "label",
            Self::Mails => "mails",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// As a colour for the library.
    pub(super) const fn color(self) -> plotters::style::RGBColor {
        plotters::style::RGBColor(self as u8, 0, 0)
    }

    fn of(color: BackendColor) -> Self {
        Self::ALL.get(usize::from(color.rgb.0)).copied().unwrap_or(Self::Grid)
    }
}

/// Writes into a text.
pub(super) struct Classes<'t> {
    /// What was written.
    pub(super) text: &'t mut String,
    /// Width and height, in units of the picture.
    pub(super) size: (u32, u32),
    /// The id of the picture; a pattern of another one on the page may not be there when it is hidden.
    pub(super) id: &'t str,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Classes<'_> {
    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a text does not fail.
        let _ = self.text.write_fmt(element);
    }
}

impl DrawingBackend for Classes<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let class = Role::of(color).word();
        self.put(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\" class=\"c-{class}\"/>"));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        if style.color().alpha > 0.0 {
            let class = Role::of(style.color()).word();
            let ((x1, y1), (x2, y2)) = (from, to);
            self.put(format_args!(
                "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"c-{class} c-line\"/>"
            ));
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if style.color().alpha > 0.0 {
            let class = Role::of(style.color()).word();
            let points = path.into_iter().fold(String::new(), |mut points, (x, y)| {
                let _ = write!(points, "{x},{y} ");
                points
            });
            self.put(format_args!("<polyline points=\"{}\" class=\"c-{class} c-line\"/>", points.trim_end()));
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        if style.color().alpha > 0.0 {
            let role = Role::of(style.color());
            let (width, height) = ((right - left).max(1), (bottom - top).max(1));
            // A pattern, besides the colour: failures are told by their shape, too.
            let pattern = match role {
                Role::Failed => format!(" fill=\"url(#{}-hatch)\"", self.id),
                _ => String::new(),
            };
            self.put(format_args!(
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" class=\"c-{}\"{pattern}/>",
                role.word()
            ));
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        use plotters_backend::text_anchor::{HPos, VPos};
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        let shift = match style.anchor().v_pos {
            VPos::Top => 10,
            VPos::Center => 4,
            VPos::Bottom => 0,
        };
        let y = y + shift;
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" class=\"c-label\">{}</text>",
            escape(text)
        ));
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        // Half as wide as high, as digits are.
        Ok((u32::try_from(text.chars().count()).unwrap_or(u32::MAX).saturating_mul(6), 12))
    }
}
