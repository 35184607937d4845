//! Who looks at the page, on what: the screen, colours, language, size of the text, speed.

use serde_json::json;

use super::{Browser, PATIENCE, done, ensure, until};

/// A screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Screen {
    /// 360 px wide, with fingers.
    Phone,
    /// 768 px wide, with fingers.
    Tablet,
    /// 1440 px wide, with a pointer.
    #[default]
    Desk,
}

impl Screen {
    /// Every one.
    pub(crate) const ALL: [Self; 3] = [Self::Desk, Self::Tablet, Self::Phone];

    /// In CSS pixels.
    pub(crate) const fn width(self) -> u32 {
        match self {
            Self::Phone => 360,
            Self::Tablet => 768,
            Self::Desk => 1440,
        }
    }

    const fn height(self) -> u32 {
        match self {
            Self::Phone => 740,
            Self::Tablet => 1024,
            Self::Desk => 900,
        }
    }
}

/// Which colours are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// As style sheets and cookies write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// On what the reader looks at pages, and what his system asks them for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Media {
    screen: Screen,
    dark: bool,
    still: bool,
    large: bool,
}

impl Browser {
    /// Looks at the page on this screen from now on.
    pub(crate) async fn screen(&self, screen: Screen) {
        self.sized(screen, screen.height()).await;
    }

    /// The same on one so high that the whole page is on it.
    pub(super) async fn screen_for_all(&self, screen: Screen) {
        let height = self.run("return document.documentElement.scrollHeight", &[]).await;
        let height = height.as_u64().and_then(|height| u32::try_from(height).ok()).unwrap_or_default();
        self.sized(screen, height.max(screen.height())).await;
    }

    /// The screen, if the text is large on it.
    pub(super) fn large_on(&self) -> Option<Screen> {
        let media = self.media.lock().unwrap();
        media.large.then_some(media.screen)
    }

    async fn sized(&self, screen: Screen, height: u32) {
        self.media.lock().unwrap().screen = screen;
        let touch = screen != Screen::Desk;
        let metrics =
            json!({ "width": screen.width(), "height": height, "deviceScaleFactor": 1, "mobile": touch });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": touch })).await;
        // With that, the browser forgets the size of the text.
        self.set_text_size().await;
        self.settled().await;
    }

    /// Waits until what was changed is drawn.
    async fn settled(&self) {
        let script = "return new Promise((done) => {
            requestAnimationFrame(() => requestAnimationFrame(() => done(true)));
        })";
        self.run(script, &[]).await;
    }

    /// The system asks for these colours, and no cookie for others.
    pub(crate) async fn theme(&self, theme: Theme) {
        self.set_cookie("theme", "auto").await;
        self.change_media(|media| media.dark = theme == Theme::Dark).await;
    }

    /// Whether the system asks for pages on which nothing moves.
    pub(crate) async fn without_motion(&self, still: bool) {
        self.change_media(|media| media.still = still).await;
    }

    async fn change_media(&self, change: impl FnOnce(&mut Media)) {
        let media = {
            let mut media = self.media.lock().unwrap();
            change(&mut media);
            *media
        };
        let scheme = if media.dark { "dark" } else { "light" };
        let motion = if media.still { "reduce" } else { "no-preference" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": motion },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        self.settled().await;
    }

    /// The language that the browser asks for, and the cookie says: `fr`, `en`. For the next page.
    pub(crate) async fn language(&self, code: &str) {
        let agent = json!({ "userAgent": self.agent, "acceptLanguage": code });
        self.devtools("Emulation.setUserAgentOverride", agent).await;
        self.set_cookie("lang", code).await;
    }

    /// The reader has set the text of pages to twice the size, or to the usual one.
    pub(crate) async fn large_text(&self, large: bool) {
        self.media.lock().unwrap().large = large;
        self.set_text_size().await;
        self.settled().await;
    }

    async fn set_text_size(&self) {
        let large = self.media.lock().unwrap().large;
        let (standard, fixed) = if large { (32, 26) } else { (16, 13) };
        let sizes = json!({ "fontSizes": { "standard": standard, "fixed": fixed } });
        self.devtools("Page.setFontSizes", sizes).await;
    }

    /// Whether pages may run scripts. For the next page.
    pub(crate) async fn scripts(&self, allowed: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !allowed })).await;
    }

    /// The processor of a cheap phone, a quarter as fast as this one, or this one.
    pub(crate) async fn slow_processor(&self, slow: bool) {
        self.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": if slow { 4 } else { 1 } })).await;
    }

    /// Whether what was fetched before may be used again. For the next page.
    pub(crate) async fn cache(&self, used: bool) {
        self.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": !used })).await;
    }

    /// A slow mobile network as the usual measuring programs mean it, or none: 1.6 Mbit/s of which
    /// a tenth is lost, and three round trips and three quarters before the first byte of every
    /// answer.
    pub(crate) async fn slow_network(&self, slow: bool) {
        let network = if slow {
            json!({ "offline": false, "latency": 562.5, "downloadThroughput": 184_320, "uploadThroughput": 86_400 })
        } else {
            json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 })
        };
        self.devtools("Network.emulateNetworkConditions", network).await;
    }

    /// Whether there is a network.
    pub(crate) async fn offline(&self, offline: bool) {
        let network =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.emulateNetworkConditions", network).await;
    }

    /// Goes back one page.
    pub(crate) async fn back(&self) {
        done("go back", self.driver.back().await);
    }

    /// Opens a tab, in front of the others, and goes on in it.
    pub(crate) async fn new_tab(&self) {
        let tab = done("open a tab", self.driver.new_tab().await);
        done("go to another tab", self.driver.switch_to_window(tab).await);
    }

    /// Goes on in the tab that was opened last, once there is one besides the first.
    pub(crate) async fn newest_tab(&self) {
        let newest = until("another tab", PATIENCE, async || {
            let tabs = self.driver.windows().await.map_err(|error| error.to_string())?;
            ensure(tabs.len() > 1, || format!("there are {}", tabs.len()))?;
            tabs.last().cloned().ok_or_else(|| "there is none".to_owned())
        });
        done("go to another tab", self.driver.switch_to_window(newest.await).await);
    }

    /// Goes back to the first tab.
    pub(crate) async fn first_tab(&self) {
        let tabs = done("list its tabs", self.driver.windows().await);
        done("go to the first tab", self.driver.switch_to_window(tabs[0].clone()).await);
    }
}
