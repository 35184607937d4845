//! Forms of a page, as a browser sends them: what stands in their inputs, unless somebody types.

/// The inputs of a form, by name.
#[derive(Debug, Clone)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Of the element with this id: a form, or what has one in it.
    pub(super) fn of(page: &str, id: &str) -> Self {
        let after = page.split(&format!("id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no {id} in {page}"));
        // The form itself has begun before its id, one within begins after it.
        let end = after.split("</form>").next().expect("an end");
        let mut fields = Vec::new();
        for tag in end.split('<').skip(1) {
            let (head, text) = tag.split_once('>').unwrap_or((tag, ""));
            match head.split_whitespace().next() {
                Some("input") => input(head, &mut fields),
                Some("textarea") => {
                    fields.extend(name(head).map(|name| (name, plain(text.trim_start_matches('\n')))))
                }
                Some("select") => fields.extend(name(head).map(|name| (name, String::new()))),
                Some("option") if head.ends_with(" selected") => {
                    let value = attribute(head, "value").unwrap_or_default();
                    fields.last_mut().expect("a list").1 = value;
                }
                _ => {}
            }
        }
        Self(fields)
    }

    /// With another value; a box that is not ticked gets one.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a value: a box is no longer ticked.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// The first value of a name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// As it is sent.
    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

fn input(head: &str, fields: &mut Vec<(String, String)>) {
    let kind = attribute(head, "type").unwrap_or_default();
    let boxed = kind == "checkbox" || kind == "radio";
    if boxed && !head.split_whitespace().any(|word| word == "checked") {
        return;
    }
    let value = attribute(head, "value").unwrap_or_default();
    fields.extend(name(head).map(|name| (name, value)));
}

fn name(head: &str) -> Option<String> {
    attribute(head, "name")
}

fn attribute(head: &str, name: &str) -> Option<String> {
    let after = head.split(&format!(" {name}=\"")).nth(1)?;
    after.split('"').next().map(plain)
}

/// A text without the signs of HTML.
pub(super) fn plain(text: &str) -> String {
    let signs = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
        ("&#38;", "&"),
    ];
    signs.into_iter().fold(text.to_owned(), |text, (written, sign)| text.replace(written, sign))
}
