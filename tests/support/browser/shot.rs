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
        let how = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.devtools("Page.captureScreenshot", how).await;
        STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64")
    }

    /// Keeps a picture of the whole page under this name.
    pub(crate) async fn shoot(&self, name: &str) {
        let file = screenshots().join(format!("{name}.png"));
        std::fs::write(&file, self.picture().await).expect("writing a picture");
    }
}
