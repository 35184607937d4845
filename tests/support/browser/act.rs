//! The pointer and the keyboard.

use thirtyfour::error::{WebDriverResult, no_such_element};
use thirtyfour::{By, Key};

use super::{Browser, Target, done};

impl Browser {
    /// Clicks, once nothing lies above it. As a person does, it is brought to the middle of the
    /// screen if a bar at an edge is above it.
    pub(crate) async fn click(&self, target: &Target) {
        self.with(target, async |one| {
            let clicked = one.click().await;
            if clicked.as_ref().is_err_and(|error| error.to_string().contains("intercepted")) {
                let script = "arguments[0].scrollIntoView({ block: 'center' })";
                self.driver.execute(script, vec![one.to_json()?]).await?;
                return one.click().await;
            }
            clicked
        })
        .await;
    }

    /// Enters a text in place of what stands in a field.
    pub(crate) async fn fill(&self, field: &Target, text: &str) {
        self.with(field, async |one| {
            one.clear().await?;
            one.send_keys(text).await
        })
        .await;
    }

    /// Chooses an entry of a list by what it says.
    pub(crate) async fn choose(&self, list: &Target, entry: &str) {
        self.with(list, async |one| {
            for option in one.find_all(By::Tag("option")).await? {
                if option.prop("label").await?.is_some_and(|label| label.trim() == entry) {
                    return option.click().await;
                }
            }
            Err(no_such_element(format!("an entry {entry:?}")))
        })
        .await;
    }

    /// Types into whatever has the focus.
    pub(crate) async fn keys(&self, text: &str) {
        done("type", self.driver.action_chain().send_keys(text).perform().await);
    }

    /// Presses and releases a key.
    pub(crate) async fn press(&self, key: Key) {
        done("press a key", self.driver.action_chain().key_down(key.clone()).key_up(key).perform().await);
    }

    /// The same while others are held: `chord(&[Key::Shift], Key::Tab)`.
    pub(crate) async fn chord(&self, held: &[Key], key: Key) {
        let down = held.iter().cloned().fold(self.driver.action_chain(), |chain, key| chain.key_down(key));
        let pressed = down.key_down(key.clone()).key_up(key);
        let up = held.iter().rev().cloned().fold(pressed, |chain, key| chain.key_up(key));
        done("press keys", up.perform().await);
    }

    /// Moves the pointer over it.
    pub(crate) async fn hover(&self, target: &Target) {
        let over = async |one: &thirtyfour::WebElement| -> WebDriverResult<()> {
            one.scroll_into_view().await?;
            self.driver.action_chain().move_to_element_center(one).perform().await
        };
        self.with(target, over).await;
    }

    /// Drags one thing onto another with the pointer.
    pub(crate) async fn drag(&self, what: &Target, onto: &Target) {
        self.with(what, async |from| {
            // Both are looked for anew at each try: the page may have been brought up to date between.
            let found = self.find_all(onto).await.map_err(no_such_element)?;
            let [to] = found.as_slice() else {
                return Err(no_such_element(format!("{onto}: there are {}", found.len())));
            };
            from.scroll_into_view().await?;
            // A drag begins with a move that is one, and is let go where it has been seen.
            self.driver
                .action_chain()
                .click_and_hold_element(from)
                .move_by_offset(4, 4)
                .move_to_element_center(to)
                .move_by_offset(2, 2)
                .release()
                .perform()
                .await
        })
        .await;
    }
}
