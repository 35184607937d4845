//! Pictures of pages.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Browser;

/// The folder of the pictures: `target/tmp/screenshots`.
pub(crate) fn screenshots() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

impl Browser {
    /// A picture of the whole page, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        // A picture of more than the screen forgets the size of the text, so that the screen has to
        // be as large as the page.
        let large = self.large_on();
        if let Some(screen) = large {
            self.screen_for_all(screen).await;
        }
        // Larger files, made in less time.
        let how =
            json!({ "format": "png", "captureBeyondViewport": large.is_none(), "optimizeForSpeed": true });
        let taken = self.devtools("Page.captureScreenshot", how).await;
        if let Some(screen) = large {
            self.screen(screen).await;
        }
        STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64")
    }

    /// Keeps a picture of the whole page under this name.
    pub(crate) async fn shoot(&self, name: &str) {
        let file = screenshots().join(format!("{name}.png"));
        std::fs::write(&file, self.picture().await).expect("writing a picture");
    }

    /// Keeps a picture of what is on the screen under this name.
    pub(crate) async fn shoot_screen(&self, name: &str) {
        let taken = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
        let picture = STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(screenshots().join(format!("{name}.png")), picture).expect("writing a picture");
    }
}
