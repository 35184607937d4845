//! The table of pages. Whoever makes a page adds a line, and every check of `everywhere` and
//! `hostile` goes there, too.

/// Who sees a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever has not signed in.
    Stranger,
    /// Whoever has.
    User,
}

/// What is around a page's own part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// A header, a nav, a skip link before them, one `role="status"` and one `role="alert"`.
    Whole,
    /// Nothing but `main`: there is nothing to skip.
    Bare,
    /// It is a library's: it has to be quiet, and to do no harm, and looks as it looks.
    Library,
}

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    /// In the names of pictures and in what is said.
    pub(super) name: &'static str,
    /// Where; what a name in braces stands for, [`Places`](super::places::Places) knows.
    pub(super) path: &'static str,
    pub(super) who: Who,
    pub(super) frame: Frame,
    /// It shows senders, subjects or what receivers answered: `hostile` looks for them there.
    pub(super) shows_mails: bool,
    /// With which status it comes.
    pub(super) status: u16,
}

impl Page {
    const fn new(name: &'static str, path: &'static str, who: Who, frame: Frame) -> Self {
        Self { name, path, who, frame, shows_mails: false, status: 200 }
    }

    /// It shows what strangers wrote.
    const fn shows_mails(mut self) -> Self {
        self.shows_mails = true;
        self
    }

    /// It comes with another status than 200.
    const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Whether it is ours to shape.
    pub(super) fn is_ours(&self) -> bool {
        self.frame != Frame::Library
    }
}

/// Every page.
pub(super) const PAGES: &[Page] = &[
    Page::new("login", "/login", Who::Stranger, Frame::Bare),
    Page::new("login-link", "/login/magic/{link}", Who::Stranger, Frame::Bare),
    Page::new("login-link-refused", "/login/magic/none", Who::Stranger, Frame::Bare).status(401),
    Page::new("not-found", "/nowhere", Who::User, Frame::Bare).status(404),
    Page::new("logout", "/logout", Who::User, Frame::Bare),
    Page::new("overview", "/", Who::User, Frame::Whole).shows_mails(),
    Page::new("overview-month", "/?periode=mois", Who::User, Frame::Whole).shows_mails(),
    Page::new("mails", "/mails", Who::User, Frame::Whole).shows_mails(),
    Page::new("mails-failed", "/mails?state=failed", Who::User, Frame::Whole),
    Page::new("mails-none", "/mails?text=rien+de+tel", Who::User, Frame::Whole),
    Page::new("mail-delivered", "/mails/{delivered}", Who::User, Frame::Whole).shows_mails(),
    Page::new("mail-waiting", "/mails/{waiting}", Who::User, Frame::Whole).shows_mails(),
    Page::new("mail-held", "/mails/{held}", Who::User, Frame::Whole).shows_mails(),
    Page::new("mail-failed", "/mails/{failed}", Who::User, Frame::Whole).shows_mails(),
    Page::new("mail-ignored", "/mails/{ignored}?aujourdhui=1", Who::User, Frame::Whole).shows_mails(),
    Page::new("mail-unreadable", "/mails/{unreadable}", Who::User, Frame::Whole),
    Page::new("mail-unknown", "/mails/none", Who::User, Frame::Whole).status(404),
    Page::new("rules", "/regles", Who::User, Frame::Whole).shows_mails(),
    Page::new("rule", "/regles/regle?id={rule}", Who::User, Frame::Whole),
    Page::new("rule-new", "/regles/regle", Who::User, Frame::Whole),
    Page::new("detector", "/regles/detecteur?id=recadrage", Who::User, Frame::Whole),
    Page::new("detector-new", "/regles/detecteur", Who::User, Frame::Whole),
    Page::new("senders", "/regles/expediteurs", Who::User, Frame::Whole),
    Page::new("words", "/regles/mots", Who::User, Frame::Whole),
    Page::new("services", "/regles/services", Who::User, Frame::Whole),
    Page::new("service", "/regles/service?id=dropbox", Who::User, Frame::Whole),
    Page::new("trial", "/regles/essais/{trial}", Who::User, Frame::Whole).shows_mails(),
    Page::new("trial-gone", "/regles/essais/none", Who::User, Frame::Whole).status(404),
    Page::new("settings", "/reglages", Who::User, Frame::Whole),
    Page::new("histories", "/reglages/historique", Who::User, Frame::Whole),
    Page::new("history", "/reglages/historique/webhook_config", Who::User, Frame::Whole),
    Page::new("version", "/reglages/historique/webhook_config/1", Who::User, Frame::Whole),
    Page::new("system", "/systeme", Who::User, Frame::Whole),
    Page::new("workers", "/systeme/processus", Who::User, Frame::Whole),
    Page::new("events", "/systeme/evenements", Who::User, Frame::Whole),
    Page::new("access", "/acces", Who::User, Frame::Whole),
    Page::new("logins", "/acces/connexions", Who::User, Frame::Whole),
    Page::new("actions", "/acces/actions", Who::User, Frame::Whole),
    Page::new("design", "/design", Who::User, Frame::Whole),
    Page::new("api-docs", "/api/docs/", Who::User, Frame::Library),
];
